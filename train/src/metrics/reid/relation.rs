//! What a picture of the gallery is to a query.

/// The id of an object nobody has named: no other picture is known to show it, or not to.
pub const UNKNOWN_ID: i64 = i64::MIN;

/// What a picture of the gallery is to a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    /// The same object, from another camera: what the query should find.
    Match,
    /// The same object, from the query's own camera: left out.
    OwnCamera,
    /// Another object.
    Other,
    /// One of the two has no id.
    Unknown,
}

impl Relation {
    /// From ids and cameras.
    pub(super) fn of((id, cam): (i64, i64), (other, from): (i64, i64)) -> Relation {
        if id == UNKNOWN_ID || other == UNKNOWN_ID {
            Relation::Unknown
        } else if id != other {
            Relation::Other
        } else if cam == from {
            Relation::OwnCamera
        } else {
            Relation::Match
        }
    }

    /// Whether the picture shows the query's object, if that is known.
    pub(super) fn right(self) -> Option<bool> {
        match self {
            Relation::Match | Relation::OwnCamera => Some(true),
            Relation::Other => Some(false),
            Relation::Unknown => None,
        }
    }
}
