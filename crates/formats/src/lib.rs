//! glassbox formats
