//! MovieLens-1M's `users.dat` (`UserID::Gender::Age::Occupation::Zip-code`): nothing in the method uses it, a click model's
//! reference does.

use std::path::Path;

use super::ml_1m::{fields, id};
use crate::data::config::Format;
use crate::data::error::{DataError, LineProblem};
use crate::data::lines::{self, Lines};

/// What `users.dat` says about one user; the codes are explained in the data set's README.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demographics {
    /// The source's identifier.
    pub key: String,
    /// `F` or `M`.
    pub gender: String,
    /// Lowest age of a bracket: 1, 18, 25, 35, 45, 50, 56.
    pub age: String,
    /// 0 to 20.
    pub occupation: String,
}

/// Reads `users.dat` of a MovieLens-1M folder.
///
/// # Errors
/// The file is not there; the first malformed line, a user described twice.
pub fn demographics(dir: &Path) -> Result<Vec<Demographics>, DataError> {
    let path = super::required(dir, Format::Ml1m, "users.dat")?;
    let mut lines = Lines::open(&path)?;
    let mut users: Vec<Demographics> = Vec::new();
    let mut known = std::collections::HashSet::new();
    while let Some((number, line)) = lines.next_line()? {
        let user = line.and_then(parse).and_then(|user| {
            if known.insert(user.key.clone()) {
                Ok(user)
            } else {
                let key = LineProblem::shown(user.key.as_bytes());
                Err(LineProblem::RepeatedUser { key })
            }
        });
        users.push(user.map_err(|problem| DataError::Line {
            file: path.clone(),
            line: number,
            problem,
        })?);
    }
    Ok(users)
}

fn parse(line: &[u8]) -> Result<Demographics, LineProblem> {
    let [key, gender, age, occupation, _zip] = fields(line)?;
    let gender = lines::text(gender, "Gender")?;
    Ok(Demographics {
        key: id(key, "UserID")?.to_owned(),
        gender: gender.to_owned(),
        age: id(age, "Age")?.to_owned(),
        occupation: id(occupation, "Occupation")?.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Demographics>, DataError> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("users.dat"), text).unwrap();
        demographics(folder.path())
    }

    #[test]
    fn two_users() {
        let users = read("1::F::1::10::48067\n2::M::56::16::70072\n").unwrap();
        let second = Demographics {
            key: "2".to_owned(),
            gender: "M".to_owned(),
            age: "56".to_owned(),
            occupation: "16".to_owned(),
        };
        assert_eq!(users.len(), 2);
        assert_eq!(users[1], second);
    }

    #[test]
    fn what_is_malformed_is_named_with_its_line() {
        for (text, part) in [
            ("1::F::1::10\n", "5"),
            ("1::F::1::10::4\nx::F::1::10::4\n", "UserID"),
            ("1::F::young::10::4\n", "Age"),
        ] {
            let message = read(text).unwrap_err().to_string();
            assert!(
                message.contains("users.dat") && message.contains(part),
                "{message}"
            );
        }
    }

    #[test]
    fn repeated_user() {
        let message = read("1::F::1::10::4\n1::M::1::10::4\n")
            .unwrap_err()
            .to_string();
        assert!(
            message.contains("user `1` is described a second time"),
            "{message}"
        );
    }

    #[test]
    fn a_folder_without_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let error = demographics(folder.path()).unwrap_err();
        assert!(matches!(error, DataError::MissingFile { .. }));
    }
}
