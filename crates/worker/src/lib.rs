//! glassbox worker
