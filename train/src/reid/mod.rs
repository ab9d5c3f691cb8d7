//! Re-identification: training, features, searches.
