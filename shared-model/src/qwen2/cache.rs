//! Keys and values of the tokens a model has already read.

use burn::tensor::{Int, Tensor};

/// One layer's keys and values in buffers of fixed length, written in place.
#[derive(Debug, Clone)]
struct LayerCache {
    /// `[batch, kv_heads, capacity, head_dim]`.
    keys: Tensor<4>,
    /// `[batch, kv_heads, capacity, head_dim]`.
    values: Tensor<4>,
}

/// The cache of a whole model for a left-padded batch. All rows have the same number of written slots.
#[derive(Debug, Clone)]
pub struct KvCache {
    layers: Vec<Option<LayerCache>>,
    capacity: usize,
    length: usize,
    bucket: usize,
}

impl KvCache {
    /// An empty cache for `layers` layers and at most `capacity` tokens a row, padding included.
    pub fn new(layers: usize, capacity: usize) -> Self {
        Self {
            layers: vec![None; layers],
            capacity,
            length: 0,
            bucket: 1,
        }
    }

    /// The same, read in lengths that are multiples of `bucket`: devices that compile a kernel for each shape then meet few
    /// shapes. Slots that are not yet written are masked.
    pub fn with_bucket(mut self, bucket: usize) -> Self {
        self.bucket = bucket.max(1);
        self.capacity = self.capacity.next_multiple_of(self.bucket);
        self
    }

    /// Slots that attention reads once `new` more tokens are written.
    pub(super) fn span(&self, new: usize) -> usize {
        (self.length + new).next_multiple_of(self.bucket)
    }

    /// Tokens written so far, padding included.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether nothing has been written.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Appends `keys`/`values` `[batch, kv_heads, time, head_dim]` of one layer; returns the first [`KvCache::span`] slots.
    pub(super) fn append(
        &mut self,
        layer: usize,
        keys: Tensor<4>,
        values: Tensor<4>,
    ) -> (Tensor<4>, Tensor<4>) {
        let [batch, heads, time, width] = keys.dims();
        let (end, span) = (self.length + time, self.span(time));
        let LayerCache {
            keys: all_keys,
            values: all_values,
        } = self.layers[layer].take().unwrap_or_else(|| {
            let device = keys.device();
            let shape = [batch, heads, self.capacity, width];
            LayerCache {
                keys: Tensor::zeros(shape, &device),
                values: Tensor::zeros(shape, &device),
            }
        });
        let region = [0..batch, 0..heads, self.length..end, 0..width];
        let all_keys = all_keys.slice_assign(region.clone(), keys);
        let all_values = all_values.slice_assign(region, values);
        let written = (
            all_keys.clone().narrow(2, 0, span),
            all_values.clone().narrow(2, 0, span),
        );
        self.layers[layer] = Some(LayerCache {
            keys: all_keys,
            values: all_values,
        });
        written
    }

    /// Marks `time` slots as written, once every layer has appended them.
    pub(super) fn advance(&mut self, time: usize) {
        self.length += time;
    }

    /// Keeps (or repeats) the given rows of the batch: finished rows leave, a shared prompt fans out.
    pub fn select_rows(&mut self, rows: &Tensor<1, Int>) {
        for layer in self.layers.iter_mut().flatten() {
            layer.keys = layer.keys.clone().select(0, rows.clone());
            layer.values = layer.values.clone().select(0, rows.clone());
        }
    }
}
