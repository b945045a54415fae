//! Moments as FHIR writes them.

use time::{OffsetDateTime, UtcOffset};

/// A FHIR R4 `instant` (and `dateTime`) in UTC with milliseconds.
pub(super) fn instant(moment: OffsetDateTime) -> String {
    let utc = moment.to_offset(UtcOffset::UTC);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        utc.year(),
        u8::from(utc.month()),
        utc.day(),
        utc.hour(),
        utc.minute(),
        utc.second(),
        utc.millisecond()
    )
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn moments_are_written_in_utc() {
        assert_eq!(
            instant(datetime!(2027-03-04 01:02:03.045678 +02:00)),
            "2027-03-03T23:02:03.045Z"
        );
    }
}
