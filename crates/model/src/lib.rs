//! glassbox model
