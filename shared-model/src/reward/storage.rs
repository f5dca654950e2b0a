//! A reward model as one safetensors file: its configuration in the header, its weights behind.

use std::collections::HashMap;

use burn::tensor::Device;

use super::config::{ConfigError, RewardConfig};
use super::model::RewardModel;
use crate::weights::{self, WeightsError};

const CONFIG_KEY: &str = "reward_config";

impl From<ConfigError> for WeightsError {
    fn from(error: ConfigError) -> Self {
        WeightsError::Metadata(error.to_string())
    }
}

impl RewardModel {
    /// The whole model as safetensors bytes. Reads the device synchronously: not for the browser.
    pub fn to_bytes(&self) -> Result<Vec<u8>, WeightsError> {
        let config = serde_json::to_string(self.config())
            .map_err(|error| WeightsError::Metadata(error.to_string()))?;
        weights::to_bytes(self, HashMap::from([(CONFIG_KEY.to_owned(), config)]))
    }

    /// The configuration in a file written by [`RewardModel::to_bytes`].
    pub fn config_from_bytes(bytes: &[u8]) -> Result<RewardConfig, WeightsError> {
        let metadata = weights::metadata(bytes)?;
        let text = metadata.get(CONFIG_KEY).ok_or_else(|| {
            WeightsError::Metadata(format!(
                "no `{CONFIG_KEY}` in its header; is this a reward model?"
            ))
        })?;
        let config: RewardConfig = serde_json::from_str(text)
            .map_err(|error| WeightsError::Metadata(format!("`{CONFIG_KEY}`: {error}")))?;
        config.validate_for_file(bytes.len())?;
        Ok(config)
    }

    /// Reads a file written by [`RewardModel::to_bytes`]. Sizes in the header that the tensors contradict are refused.
    pub fn from_bytes(bytes: &[u8], device: &Device) -> Result<Self, WeightsError> {
        let config = Self::config_from_bytes(bytes)?;
        let model = config.init(device)?;
        weights::from_bytes(model, bytes)
    }
}
