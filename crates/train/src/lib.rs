//! Trains the house model.
