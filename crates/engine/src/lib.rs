//! glassbox engine
