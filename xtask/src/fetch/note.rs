//! What is known of the file that a download brings, kept beside the download for the next run.

/// What the server said when the download began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Note {
    /// The length of the whole.
    pub(super) total: Option<u64>,
    /// What tells this version of the file from another: its ETag or its date.
    pub(super) validator: Option<String>,
}

impl Note {
    /// Three lines: the address, the length, the validator; the last two may be empty.
    pub(super) fn to_text(&self, url: &str) -> String {
        let total = self.total.map(|total| total.to_string()).unwrap_or_default();
        format!("{url}\n{total}\n{}\n", self.validator.as_deref().unwrap_or_default())
    }

    /// `None` if it is cut short or belongs to another address.
    pub(super) fn parse(text: &str, url: &str) -> Option<Self> {
        let [noted_url, total, validator, ""] = text.split('\n').collect::<Vec<_>>()[..] else { return None };
        let total = if total.is_empty() { None } else { Some(total.parse().ok()?) };
        let validator = Some(validator.to_owned()).filter(|validator| !validator.is_empty());
        (noted_url == url).then_some(Self { total, validator })
    }
}

/// What `If-Range` may carry: a strong ETag, else the date of the last change.
pub(super) fn validator(etag: Option<&str>, last_modified: Option<&str>) -> Option<String> {
    etag.filter(|etag| !etag.starts_with("W/")).or(last_modified).map(Into::into)
}

/// The start and, if it is known, the whole length in `bytes start-end/whole`.
pub(super) fn parse_content_range(text: &str) -> Option<(u64, Option<u64>)> {
    let (range, whole) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (start, _) = range.split_once('-')?;
    Some((start.parse().ok()?, whole.parse().ok()))
}
