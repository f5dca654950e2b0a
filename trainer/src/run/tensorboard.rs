//! TensorBoard's event files: scalars only. (TFRecord frames around the protobuf messages of TensorFlow's `event.proto` and
//! `summary.proto`; no kept crate writes them.)

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};

/// The file's name; TensorBoard looks for `tfevents`.
const NAME: &str = "events.out.tfevents.0.curec";
/// Bytes around the message of a record: its length, and a checksum each of length and message.
const FRAME: u64 = 8 + 4 + 4;

/// Scalars over the steps of a stage, appended as the work goes on.
pub struct EventFile {
    file: File,
}

impl EventFile {
    /// Opens the event file in `folder` before `step`: a new one, or the one that an interrupted attempt left. What that
    /// one wrote of this step and later ones is hidden by TensorBoard; half a record at its end is cut off.
    ///
    /// # Errors
    /// The system's, with the path.
    pub fn open(folder: &Path, step: u64) -> Result<Self> {
        let path = folder.join(NAME);
        let open = || -> Result<Self> {
            std::fs::create_dir_all(folder)?;
            let known = std::fs::read(&path).unwrap_or_default();
            let whole = whole_records(&known);
            let mut file = File::options()
                .create(true)
                .truncate(false)
                .write(true)
                .open(&path)?;
            file.set_len(whole)?;
            file.seek(SeekFrom::End(0))?;
            let mut events = Self { file };
            if whole == 0 {
                events.record(&event(0, 3, b"brain.Event:2"))?;
            } else {
                // SessionLog { status: START }: what follows replaces all from this step on.
                events.record(&event(step, 7, &[0x08, 0x01]))?;
            }
            Ok(events)
        };
        open().with_context(|| format!("cannot write {}", path.display()))
    }

    /// Appends the values of a step, `(tag, value)` each.
    ///
    /// # Errors
    /// The system's.
    pub fn push<'a>(
        &mut self,
        step: u64,
        values: impl IntoIterator<Item = (&'a str, f64)>,
    ) -> Result<()> {
        let mut summary = Vec::new();
        for (tag, value) in values {
            let mut one = Vec::new();
            field_bytes(&mut one, 1, tag.as_bytes());
            one.push(2 << 3 | 5);
            one.extend((value as f32).to_le_bytes());
            field_bytes(&mut summary, 1, &one);
        }
        self.record(&event(step, 5, &summary))
    }

    fn record(&mut self, message: &[u8]) -> Result<()> {
        let length = (message.len() as u64).to_le_bytes();
        let mut bytes = Vec::with_capacity(message.len() + FRAME as usize);
        bytes.extend(length);
        bytes.extend(masked(&length).to_le_bytes());
        bytes.extend(message);
        bytes.extend(masked(message).to_le_bytes());
        // One write: a kill leaves a whole record or a torn one at the end, never a torn one in between.
        self.file.write_all(&bytes)?;
        Ok(())
    }
}

/// How many bytes at the start are whole records.
fn whole_records(bytes: &[u8]) -> u64 {
    let mut end = 0;
    while let Some(length) = bytes.get(end..end + 8) {
        let length = u64::from_le_bytes(length.try_into().unwrap_or_default());
        let next = (end as u64)
            .checked_add(length)
            .and_then(|next| next.checked_add(FRAME));
        match next {
            Some(next) if next <= bytes.len() as u64 => end = next as usize,
            _ => break,
        }
    }
    end as u64
}

/// `Event { wall_time, step, <field> }`.
fn event(step: u64, field: u8, content: &[u8]) -> Vec<u8> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let seconds = now.map_or(0.0, |now| now.as_secs_f64());
    let mut bytes = vec![1 << 3 | 1];
    bytes.extend(seconds.to_le_bytes());
    bytes.push(2 << 3);
    varint(&mut bytes, step);
    field_bytes(&mut bytes, field, content);
    bytes
}

fn field_bytes(out: &mut Vec<u8>, field: u8, content: &[u8]) {
    out.push(field << 3 | 2);
    varint(out, content.len() as u64);
    out.extend(content);
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// TFRecord's masked CRC-32C.
fn masked(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes)
        .rotate_right(15)
        .wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The messages of a file; every checksum is looked at.
    fn messages(bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut rest = bytes;
        let mut found = Vec::new();
        while !rest.is_empty() {
            let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
            let sum = |at: usize| u32::from_le_bytes(rest[at..at + 4].try_into().unwrap());
            assert_eq!(sum(8), masked(&rest[..8]));
            let message = &rest[12..12 + length];
            assert_eq!(sum(12 + length), masked(message));
            found.push(message.to_vec());
            rest = &rest[16 + length..];
        }
        found
    }

    #[test]
    fn checksums_are_tensorflow_s() {
        // CRC-32C of "123456789" is e3069283 (RFC 3720); the frame of TensorFlow's first record, length 24, has this sum.
        assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(
            masked(&24u64.to_le_bytes()).to_le_bytes(),
            [0xa3, 0x7f, 0x4b, 0x22]
        );
    }

    #[test]
    fn an_interrupted_file_goes_on_after_its_last_whole_record() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(NAME);
        let mut events = EventFile::open(folder.path(), 0).unwrap();
        events.push(0, [("reward", 0.5), ("a/b", -1.0)]).unwrap();
        events.push(300, [("reward", 1.5)]).unwrap();
        drop(events);
        let whole = std::fs::read(&path).unwrap();
        let found = messages(&whole);
        assert_eq!(found.len(), 3);
        assert!(found[0].ends_with(b"brain.Event:2"));
        // Tag, then the value 0.5 as float32.
        let mut reward = vec![0x0a, 6];
        reward.extend(b"reward");
        reward.push(0x15);
        reward.extend(0.5f32.to_le_bytes());
        assert!(
            found[1]
                .windows(reward.len())
                .any(|window| window == reward)
        );
        // Step 300 as a varint.
        assert_eq!(found[2][9..12], [0x10, 0xac, 0x02]);
        for cut in [whole.len() - 1, whole.len() - 20] {
            std::fs::write(&path, &whole[..cut]).unwrap();
            EventFile::open(folder.path(), 300)
                .unwrap()
                .push(300, [("reward", 2.0)])
                .unwrap();
            let found = messages(&std::fs::read(&path).unwrap());
            assert_eq!(
                found.len(),
                4,
                "version, step 0, start of a session, step 300 again"
            );
            assert!(found[2].ends_with(&[0x3a, 2, 0x08, 0x01]));
        }
    }
}
