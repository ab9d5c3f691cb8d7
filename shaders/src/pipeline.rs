//! Pipelines: translated shaders that the driver has compiled, made when first needed and kept.

use crate::cache::DiskCache;
use crate::queue::PARAMS;
use crate::shader::{Shader, Values};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use vulkano::descriptor_set::layout::{
    DescriptorSetLayout, DescriptorSetLayoutBinding, DescriptorSetLayoutCreateInfo, DescriptorType,
};
use vulkano::device::Device;
use vulkano::pipeline::compute::ComputePipelineCreateInfo;
use vulkano::pipeline::layout::{PipelineLayoutCreateInfo, PushConstantRange};
use vulkano::pipeline::{ComputePipeline, PipelineLayout, PipelineShaderStageCreateInfo};
use vulkano::shader::{ShaderModule, ShaderModuleCreateInfo, ShaderStages};

/// The pipelines of one device.
pub(crate) struct Pipelines {
    device: Arc<Device>,
    /// Whether shaders check their indices.
    checked: bool,
    cache: Option<DiskCache>,
    /// By shader and constants.
    made: BTreeMap<(&'static str, Vec<u32>), Arc<ComputePipeline>>,
    /// By number of buffers.
    layouts: BTreeMap<usize, Arc<PipelineLayout>>,
}

impl Pipelines {
    /// No pipelines yet, but compiled ones in `folder`, if one is given and an earlier run left them there.
    pub fn new(device: Arc<Device>, checked: bool, folder: Option<&Path>) -> Pipelines {
        let cache = folder.and_then(|folder| DiskCache::open(&device, folder));
        Pipelines { device, checked, cache, made: BTreeMap::new(), layouts: BTreeMap::new() }
    }

    /// Bytes of compiled pipelines that an earlier run left.
    pub fn cached_bytes(&self) -> usize {
        self.cache.as_ref().map_or(0, DiskCache::loaded)
    }

    /// The pipeline of a shader with these constants and this number of buffers.
    pub fn get(
        &mut self,
        shader: &Shader,
        values: Values,
        buffers: usize,
    ) -> Result<Arc<ComputePipeline>, String> {
        let key = (shader.name, values.to_vec());
        if let Some(pipeline) = self.made.get(&key) {
            return Ok(pipeline.clone());
        }
        let layout = self.layout(buffers)?;
        let module = module(self.device.clone(), &shader.translate(values, self.checked)?)?;
        let entry = module.entry_point("main").ok_or("a shader has no function main")?;
        let stage = PipelineShaderStageCreateInfo::new(entry);
        let info = ComputePipelineCreateInfo::stage_layout(stage, layout);
        let cache = self.cache.as_ref().map(DiskCache::handle);
        let pipeline = ComputePipeline::new(self.device.clone(), cache, info)
            .map_err(|error| format!("the driver rejects shader {}: {error}", shader.name))?;
        self.made.insert(key, pipeline.clone());
        Ok(pipeline)
    }

    /// `buffers` storage buffers and 128 bytes of push constants.
    fn layout(&mut self, buffers: usize) -> Result<Arc<PipelineLayout>, String> {
        if let Some(layout) = self.layouts.get(&buffers) {
            return Ok(layout.clone());
        }
        let binding = |index: usize| {
            let kind = DescriptorSetLayoutBinding::descriptor_type(DescriptorType::StorageBuffer);
            (index as u32, DescriptorSetLayoutBinding { stages: ShaderStages::COMPUTE, ..kind })
        };
        let bindings = (0..buffers).map(binding).collect();
        let failed = |error: String| format!("{buffers} buffers cannot be bound: {error}");
        let set = DescriptorSetLayoutCreateInfo { bindings, ..Default::default() };
        let set =
            DescriptorSetLayout::new(self.device.clone(), set).map_err(|error| failed(error.to_string()))?;
        let range = PushConstantRange { stages: ShaderStages::COMPUTE, offset: 0, size: 4 * PARAMS as u32 };
        let info = PipelineLayoutCreateInfo {
            set_layouts: vec![set],
            push_constant_ranges: vec![range],
            ..Default::default()
        };
        let layout =
            PipelineLayout::new(self.device.clone(), info).map_err(|error| failed(error.to_string()))?;
        self.layouts.insert(buffers, layout.clone());
        Ok(layout)
    }
}

impl Drop for Pipelines {
    fn drop(&mut self) {
        if let (Some(cache), false) = (&self.cache, self.made.is_empty()) {
            cache.save();
        }
    }
}

#[allow(unsafe_code)]
fn module(device: Arc<Device>, spirv: &[u32]) -> Result<Arc<ShaderModule>, String> {
    // SAFETY: the words are valid SPIR-V for Vulkan 1.1: naga has validated the module it wrote them from.
    unsafe { ShaderModule::new(device, ShaderModuleCreateInfo::new(spirv)) }
        .map_err(|error| format!("a shader is refused: {error}"))
}
