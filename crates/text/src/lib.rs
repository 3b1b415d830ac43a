//! glassbox text
