//! Scores by the product of a user's and an item's vector.

use burn::tensor::{Device, Tensor, TensorData};

use crate::evaluation::{Example, RankError, Ranker};

/// Vectors of all users and items.
#[derive(Debug, Clone)]
pub struct FactorRanker {
    /// `[users][width]`
    users: Vec<f32>,
    /// `[width, items]`
    items: Tensor<2>,
    width: usize,
    device: Device,
}

impl FactorRanker {
    /// `vectors`: all users', then all items', `width` values each.
    pub fn new(vectors: &[f32], users: usize, width: usize, device: &Device) -> Self {
        let (users, items) = vectors.split_at(users * width);
        let shape = [items.len() / width, width];
        let items = Tensor::<2>::from_data(TensorData::new(items.to_vec(), shape), device);
        Self {
            users: users.to_vec(),
            items: items.transpose(),
            width,
            device: device.clone(),
        }
    }
}

impl Ranker for FactorRanker {
    fn scores(&self, examples: &[Example]) -> Result<Vec<Vec<f32>>, RankError> {
        let row = |example: &Example| &self.users[example.user * self.width..][..self.width];
        let rows: Vec<f32> = examples.iter().flat_map(row).copied().collect();
        let rows = TensorData::new(rows, [examples.len(), self.width]);
        let scores = Tensor::<2>::from_data(rows, &self.device).matmul(self.items.clone());
        let [_, items] = scores.dims();
        let failed = |error: String| RankError::Scores {
            user: examples.first().map_or(0, |example| example.user),
            message: error,
        };
        let scores = scores.into_data().try_to_vec::<f32>();
        let scores = scores.map_err(|error| failed(format!("{error:?}")))?;
        Ok(scores.chunks_exact(items).map(<[f32]>::to_vec).collect())
    }
}
