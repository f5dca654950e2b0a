//! The evaluation's result file in the artefact's smaller form.

use curec_shared_model::artefact::{ArtefactError, FileRole, ModelMetrics, Results};

use crate::evaluation::{self, Comparison, Metric};

/// Means of every metric, coverage and Gini per model; warnings first among the notes, then the paired differences in
/// NDCG@10 with their intervals.
///
/// # Errors
/// A protocol that is no JSON object (it always is).
pub fn page_results(found: &evaluation::Results) -> Result<Results, ArtefactError> {
    let protocol = match serde_json::to_value(&found.protocol) {
        Ok(serde_json::Value::Object(map)) => map,
        other => {
            return Err(ArtefactError::BadShape {
                file: FileRole::Results.file_name().to_owned(),
                message: format!("the protocol is {other:?}, not an object"),
            });
        }
    };
    let models = found
        .models
        .iter()
        .map(|model| {
            let means = model
                .metrics
                .iter()
                .map(|(name, estimate)| (name.clone(), estimate.mean));
            let lists = [
                ("coverage".to_owned(), model.coverage),
                ("gini".to_owned(), model.gini),
            ];
            ModelMetrics {
                name: model.name.clone(),
                metrics: means.chain(lists).collect(),
            }
        })
        .collect();
    let differences = found
        .comparisons
        .iter()
        .filter(|comparison| comparison.metric == Metric::Ndcg(10).name())
        .map(in_words);
    Ok(Results {
        protocol,
        models,
        notes: found.warnings.iter().cloned().chain(differences).collect(),
    })
}

fn in_words(comparison: &Comparison) -> String {
    let difference = &comparison.difference;
    format!(
        "{}, {} − {}: {:+.4} (95 % interval {:+.4} to {:+.4})",
        comparison.metric,
        comparison.left,
        comparison.right,
        difference.mean,
        difference.low,
        difference.high
    )
}
