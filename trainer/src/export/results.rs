//! The evaluation's result file in the artefact's smaller form.

use curec_shared_model::artefact::{
    ArtefactError, Difference, Estimate, FileRole, MetricValue, ModelMetrics, Results,
};

use crate::evaluation::{self, Metric};

/// Means of every metric with their intervals, coverage and Gini per model; paired differences in NDCG@10; warnings as notes.
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
            let means = (model.metrics.iter())
                .map(|(name, found)| (name.clone(), MetricValue::Estimate(estimate(found))));
            let lists = [
                ("coverage".to_owned(), MetricValue::Plain(model.coverage)),
                ("gini".to_owned(), MetricValue::Plain(model.gini)),
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
        .map(|comparison| Difference {
            metric: comparison.metric.clone(),
            left: comparison.left.clone(),
            right: comparison.right.clone(),
            difference: estimate(&comparison.difference),
        })
        .collect();
    Ok(Results {
        protocol,
        models,
        differences,
        notes: found.warnings.clone(),
    })
}

fn estimate(found: &evaluation::Estimate) -> Estimate {
    Estimate {
        value: found.mean,
        low: found.low,
        high: found.high,
    }
}
