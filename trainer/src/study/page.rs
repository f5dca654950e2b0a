//! The study's page: one file without a network, whose texts are data that only ever become text nodes.

use anyhow::Result;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use html_escape::encode_text;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::content::Study;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The page as HTML. Its policy lets nothing run but its own script and lets nothing be fetched.
///
/// # Errors
/// The study cannot be written as JSON.
pub fn html(study: &Study) -> Result<String> {
    let data = embeddable(
        &json!({ "study": study.id()?, "dataset": study.dataset, "pairs": study.pairs }),
    )?;
    let (style, script) = (source(STYLE), source(SCRIPT));
    let title = encode_text(&study.dataset);
    Ok(format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src '{style}'; script-src '{script}'; \
         base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>Which explanation is better? · {title}</title>\n<style>{STYLE}</style></head>\n\
         <body><main id=\"app\"><noscript>This page needs JavaScript.</noscript></main>\n\
         <script type=\"application/json\" id=\"study\">{data}</script>\n<script>{SCRIPT}</script></body></html>\n"
    ))
}

/// The policy's name of an inline text.
fn source(text: &str) -> String {
    format!(
        "sha256-{}",
        STANDARD.encode(Sha256::digest(text.as_bytes()))
    )
}

/// JSON that can stand in a script element: no `<` in it, so nothing can end or begin an element.
fn embeddable(value: &serde_json::Value) -> Result<String> {
    Ok(serde_json::to_string(value)?
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029"))
}

#[cfg(test)]
mod tests {
    use super::super::content::{Explanation, Pair, ShownItem};
    use super::*;

    fn study(text: &str) -> Study {
        let item = ShownItem {
            title: text.into(),
            details: text.into(),
        };
        let explanation = |id: &str| Explanation {
            id: id.into(),
            text: text.into(),
        };
        Study {
            dataset: text.into(),
            pairs: vec![Pair {
                id: "p".into(),
                history: vec![item.clone()],
                item,
                explanations: [explanation("a"), explanation("b")],
            }],
        }
    }

    #[test]
    fn no_text_ends_its_element() {
        let plain = html(&study("noir")).unwrap();
        let hostile = "</script><script>alert(1)</script><!--<script>\u{2028}&lt;\"'";
        let page = html(&study(hostile)).unwrap();
        for mark in ["<script", "</script", "<!--", "alert(1)</"] {
            assert_eq!(
                page.matches(mark).count(),
                plain.matches(mark).count(),
                "{mark}"
            );
        }
        // And it comes back as it was.
        let start = page.find("id=\"study\">").unwrap() + "id=\"study\">".len();
        let data = &page[start..start + page[start..].find("</script>").unwrap()];
        let data: serde_json::Value = serde_json::from_str(data).unwrap();
        assert_eq!(data["pairs"][0]["item"]["title"], hostile);
    }

    #[test]
    fn the_page_says_nothing_of_where_an_explanation_comes_from_and_asks_for_nothing() {
        let page = html(&study("noir")).unwrap();
        for word in [
            "metadata",
            "popularity",
            "baseline",
            "http://",
            "https://",
            "src=",
            "href=",
        ] {
            assert!(!page.contains(word), "{word}");
        }
    }

    #[test]
    fn another_text_is_another_study() {
        let id = study("noir").id().unwrap();
        assert_eq!(id.len(), 24);
        assert_eq!(id, study("noir").id().unwrap());
        assert_ne!(id, study("calm").id().unwrap());
    }

    proptest::proptest! {
        #[test]
        fn any_text_survives_embedding(text in proptest::prelude::any::<String>()) {
            let value = json!([text]);
            let written = embeddable(&value).unwrap();
            let safe = !written.contains(['<', '>', '&', '\u{2028}']);
            proptest::prop_assert!(safe);
            proptest::prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&written).unwrap(), value);
        }
    }
}
