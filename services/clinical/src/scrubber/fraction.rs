//! Whether two numbers with a stroke between them are a date.

use std::ops::Range;

use super::calendar::is_day_of_month;
use super::context::{before as preceding, has_unit, listed, word_after, word_before};

/// Whether another `m/d` stands before, as in `3/4-3/6`.
pub(crate) fn is_behind_date(text: &str, start: usize) -> bool {
    let small = |part: &str| part.parse::<u8>().is_ok_and(|number| (1..=31).contains(&number));
    word_before(text, start)
        .split_once('/')
        .is_some_and(|(first, second)| small(first) && small(second))
}

/// Words before `m/d` that make it a score, a level, a count.
const NOT_BEFORE: &str = "acuity about anti apgar apgars approximately auto bipap bp bright class cn course cycle cycles day dose doses dtr dtrs e \
    edema ef eye gcs glasgow grade grades image images intensity ipap ishihara level levels lesion line m mean mic mmse mmt moca motor \
    murmur number o od os ou pain part ph phase phq point power pulse pulses rated ratio reflex reflexes sclerosis score \
    scored scores scoring segment series severity slice stage step strength t titer type types vision visual";

/// Words behind `m/d` that make it a fraction or a score.
const NOT_AFTER: &str = "and bilateral bilaterally biopsies bottles bright capsule caps chance cores criteria cup cups diastolic \
    dilution ejection exercises fraction inch inches intensity kids lesions life lobes lower lymph motor murmur \
    nodes normal of or pack pain patients points positive power ppd pulses radial reflexes score sem severity \
    solution strength symptoms systolic tablet tablets tabs throughout titer upper vision way";

/// Words before `m/d` that make it a date.
const WHEN: &str = "on since from dated date until till by through thru exam study ct mri cxr radiograph radiographs film films \
    prior seen last admitted admission discharged discharge started began between scheduled due performed \
    collected drawn received before after dos dob doa dod visit appt appointment f/u effective completed signed";

/// Words before `m/d` that make it a date where nothing behind it makes it a count.
const WHEN_DONE: &str = "appts biopsy bx called canceled cancelled cath cleared clotted coded confirmed cancel cysto declared delivered discussed doi dol \
    dropped echo edc edd eeg emg expires extubated fall fell flu hearing implanted injury intubated issued laser lmp lvm mbss msg next notified op \
    ordered placed postop procedure recheck removed repeat replaced reschedule rescheduled resched return returns rtc rtw seizure shot signed sx \
    surgery swab tee text texted transfused transfusion tte tx vaccine vax xray";

/// Words behind `m/d` that make it a date: what was done that day.
const DONE: &str = "admission appointment appt bronch colonoscopy consult ct cxr echo egd encounter exam film films imaging labs mammogram mri \
    note op radiograph radiographs scan study surgery ultrasound visit xray";

/// Words behind `m/d` that make it a fraction even behind a word of [`WHEN`].
const FRACTION: &str = "of way tablet tablets tabs strength cup normal";

/// Whether `m/d` behind a day of the week is a date: but for half a tablet on Mondays it is.
pub(crate) fn is_date_behind_weekday(text: &str, end: usize, day: &str, month: &str) -> bool {
    either(day, month) && !has_unit(text, end) && !listed(FRACTION, &word_after(text, end))
}

/// Whether `m/d` is a date: fractions, scores, titres, strengths and pressures are written alike.
pub(crate) fn is_date_fraction(text: &str, range: &Range<usize>, day: &str, month: &str) -> bool {
    if !either(day, month) || (month == "24" && day == "7") {
        return false;
    }
    let previous = text[..range.start].chars().next_back();
    if previous.is_some_and(|c| matches!(c, '$' | '±' | '<' | '>' | '=')) {
        return false;
    }
    let (before, after) = (word_before(text, range.start), word_after(text, range.end));
    let scored = preceding(text, range.start, 40);
    let scored = ["gcs", "glasgow", "mmse", "moca", "apgar", "score"]
        .iter()
        .any(|scale| scored.contains(scale));
    if listed(NOT_BEFORE, &before) || has_unit(text, range.end) || scored {
        return false;
    }
    if listed(WHEN, &before) || listed(DONE, &after) || is_behind_date(text, range.start) {
        return !listed(FRACTION, &after);
    }
    if listed(NOT_AFTER, &after) {
        return false;
    }
    if listed(WHEN_DONE, &before) || is_before_time(&text[range.end..]) {
        return true;
    }
    let line_start = text[..range.start]
        .trim_end_matches([' ', '\t'])
        .chars()
        .next_back()
        .is_none_or(|c| c == '\n');
    if line_start && text[range.end..].starts_with(':') {
        return true;
    }
    // Nothing says what it is: a number above 12 is rarely the whole of a score, a small one often is.
    let large = |number: &str| number.parse::<u8>().is_ok_and(|number| number > 12);
    let titre = month == "1" && matches!(day, "16");
    (large(day) || large(month)) && !titre && month != "0"
}

/// Whether a time of day follows: `2/2 2300`, `10/11 13:02`.
fn is_before_time(behind: &str) -> bool {
    let rest = behind
        .strip_prefix(" @ ")
        .or_else(|| behind.strip_prefix(" at "))
        .or_else(|| behind.strip_prefix(' '));
    let Some(rest) = rest else {
        return false;
    };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let end = &rest[digits..];
    let clock = (1..3).contains(&digits)
        && end.starts_with(':')
        && end.len() > 2
        && end.as_bytes()[1..3].iter().all(u8::is_ascii_digit);
    let military = digits == 4
        && rest[..2].parse::<u8>().is_ok_and(|hour| hour < 24)
        && rest[2..4].parse::<u8>().is_ok_and(|minute| minute < 60)
        && !has_unit(rest, 4)
        && !rest.starts_with("19")
        && !rest.starts_with("20");
    clock || military && !end.starts_with(|c: char| c.is_alphanumeric())
}

pub(crate) fn either(day: &str, month: &str) -> bool {
    is_day_of_month(day, month) || is_day_of_month(month, day)
}
