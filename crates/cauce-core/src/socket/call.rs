//! A waiting call as data.
