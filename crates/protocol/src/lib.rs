//! glassbox protocol
