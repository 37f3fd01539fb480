//! Every shader in every variant, without any device: valid WGSL that naga writes for each graphics API, within the
//! limits that every WebGPU device has.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use gpu_train::backend::KERNELS;
use gpu_train::backend::gpu::shader_catalogue;
use naga::back::{PipelineConstants, glsl, hlsl, msl, pipeline_constants::process_overrides, spv};
use naga::proc::BoundsCheckPolicies;
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use naga::{AddressSpace, Module, ShaderStage};

/// WebGPU's default limits.
const MOST_INVOCATIONS: u32 = 256;
const MOST_WORKGROUP_BYTES: u32 = 16 << 10;
const MOST_STORAGE_BUFFERS: usize = 8;
const MOST_UNIFORM_BYTES: u32 = 64 << 10;

/// The entry point of every shader.
const ENTRY: &str = "main";

/// Values of override constants.
type Constants<'a> = &'a [(&'a str, f64)];

/// Takes one variant through everything that a device would do with it.
fn check(source: &str, constants: Constants) -> Result<(), String> {
    let module = naga::front::wgsl::parse_str(source).map_err(|error| error.emit_to_string(source))?;
    // No capability beyond what every WebGPU device has: no float64, no subgroups.
    let info = Validator::new(ValidationFlags::all(), Capabilities::empty())
        .validate(&module)
        .map_err(|error| error.emit_to_string(source))?;
    let constants: PipelineConstants = constants.iter().map(|&(name, value)| (name.to_owned(), value)).collect();
    let (module, info) = process_overrides(&module, &info, Some((ShaderStage::Compute, ENTRY)), &constants)
        .map_err(|error| format!("its constants: {error}"))?;
    within_limits(&module)?;
    write_spirv(&module, &info)?;
    write_msl(&module, &info)?;
    write_hlsl(&module, &info)?;
    // GLES 3.1 is the least that has compute shaders, OpenGL 4.3 its like on desktops.
    for version in [glsl::Version::new_gles(310), glsl::Version::Desktop(430)] {
        write_glsl(&module, &info, version)?;
    }
    Ok(())
}

fn within_limits(module: &Module) -> Result<(), String> {
    let [entry] = module.entry_points.as_slice() else {
        return Err(format!("no entry point {ENTRY}"));
    };
    let invocations: u32 = entry.workgroup_size.iter().product();
    if !(1..=MOST_INVOCATIONS).contains(&invocations) {
        return Err(format!("{invocations} invocations a workgroup, of {MOST_INVOCATIONS}"));
    }
    let (mut workgroup_bytes, mut buffers) = (0, 0);
    for (_, variable) in module.global_variables.iter() {
        let bytes = module.types[variable.ty].inner.size(module.to_ctx());
        match variable.space {
            AddressSpace::WorkGroup => workgroup_bytes += bytes.next_multiple_of(16),
            AddressSpace::Storage { .. } => buffers += 1,
            AddressSpace::Uniform if bytes > MOST_UNIFORM_BYTES => return Err(format!("a uniform of {bytes} bytes")),
            _ => {}
        }
    }
    if workgroup_bytes > MOST_WORKGROUP_BYTES {
        return Err(format!("{workgroup_bytes} bytes of workgroup memory, of {MOST_WORKGROUP_BYTES}"));
    }
    if buffers > MOST_STORAGE_BUFFERS {
        return Err(format!("{buffers} storage buffers, of {MOST_STORAGE_BUFFERS}"));
    }
    Ok(())
}

fn write_spirv(module: &Module, info: &ModuleInfo) -> Result<(), String> {
    let pipeline = spv::PipelineOptions { shader_stage: ShaderStage::Compute, entry_point: ENTRY.into() };
    let words = spv::write_vec(module, info, &spv::Options::default(), Some(&pipeline));
    filled("SPIR-V", words.map(|words| words.len()))
}

fn write_msl(module: &Module, info: &ModuleInfo) -> Result<(), String> {
    // Metal 2.0: macOS 10.13 and later.
    let options = msl::Options { lang_version: (2, 0), ..msl::Options::default() };
    let text = msl::write_string(module, info, &options, &msl::PipelineOptions::default());
    let text = text.map_err(|error| format!("MSL: {error}"))?;
    let names = text.1.entry_point_names.into_iter().collect::<Result<Vec<_>, _>>();
    names.map_err(|error| format!("MSL: {error}"))?;
    filled("MSL", Ok::<_, String>(text.0.len()))
}

fn write_hlsl(module: &Module, info: &ModuleInfo) -> Result<(), String> {
    // 5.1 is what Windows' own compiler takes, 6.0 what DXC does.
    for shader_model in [hlsl::ShaderModel::V5_1, hlsl::ShaderModel::V6_0] {
        let options = hlsl::Options { shader_model, ..hlsl::Options::default() };
        let pipeline = hlsl::PipelineOptions::default();
        let mut text = String::new();
        let written = hlsl::Writer::new(&mut text, &options, &pipeline).write(module, info, None);
        let names = written.map_err(|error| format!("HLSL: {error}"))?.entry_point_names;
        names.into_iter().collect::<Result<Vec<_>, _>>().map_err(|error| format!("HLSL: {error}"))?;
        filled("HLSL", Ok::<_, String>(text.len()))?;
    }
    Ok(())
}

fn write_glsl(module: &Module, info: &ModuleInfo, version: glsl::Version) -> Result<(), String> {
    let options = glsl::Options { version, ..glsl::Options::default() };
    let pipeline =
        glsl::PipelineOptions { shader_stage: ShaderStage::Compute, entry_point: ENTRY.into(), multiview: None };
    let mut text = String::new();
    let written = glsl::Writer::new(&mut text, module, info, &options, &pipeline, BoundsCheckPolicies::default())
        .and_then(|mut writer| writer.write());
    written.map_err(|error| format!("GLSL {version}: {error}"))?;
    filled("GLSL", Ok::<_, String>(text.len()))
}

/// A writer that has nothing to say has not understood the shader.
fn filled<E: std::fmt::Display>(language: &str, written: Result<usize, E>) -> Result<(), String> {
    match written {
        Ok(0) => Err(format!("{language}: nothing was written")),
        Ok(_) => Ok(()),
        Err(error) => Err(format!("{language}: {error}")),
    }
}

#[test]
fn every_variant_is_valid_everywhere() {
    let mut wrong = Vec::new();
    for shader in shader_catalogue() {
        if let Err(problem) = check(&shader.source, &shader.constants) {
            wrong.push(format!("{} with {:?}: {problem}", shader.name, shader.constants));
        }
    }
    assert!(wrong.is_empty(), "{} shaders are refused:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_kernel_has_a_shader() {
    let shaders: BTreeSet<&str> = shader_catalogue().iter().map(|shader| shader.name).collect();
    let missing: Vec<&&str> = KERNELS.iter().filter(|kernel| !shaders.contains(**kernel)).collect();
    assert!(missing.is_empty(), "kernels without a shader: {missing:?}");
}

/// A sound shader in the manner of the crate's own, from which the controls are made.
const SOUND: &str = "
    override WORKGROUP: u32 = 64;
    struct Parameters { count: u32, factor: f32 }
    @group(0) @binding(0) var<storage, read> x: array<f32>;
    @group(0) @binding(1) var<storage, read_write> out: array<f32>;
    @group(0) @binding(2) var<uniform> parameters: Parameters;
    var<workgroup> sums: array<f32, 256>;
    @compute @workgroup_size(WORKGROUP)
    fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
        sums[lane] = x[id.x] * parameters.factor;
        workgroupBarrier();
        if id.x < parameters.count { out[id.x] = sums[(lane + 1u) % WORKGROUP]; }
    }";

#[test]
fn what_is_wrong_is_refused() {
    check(SOUND, &[("WORKGROUP", 128.0)]).expect("the controls are made from a sound shader");
    let nine_buffers: String = (3..10)
        .map(|binding| format!("@group(0) @binding({binding}) var<storage, read> more{binding}: array<f32>;"))
        .collect();
    let uses: String = (3..10).map(|binding| format!("sums[0] += more{binding}[0];")).collect();
    let nine_buffers = nine_buffers + &SOUND.replace("workgroupBarrier();", &format!("workgroupBarrier(); {uses}"));
    let controls: [(&str, String, Constants); 8] = [
        ("a missing semicolon", SOUND.replace("parameters.factor;", "parameters.factor"), &[]),
        ("a sum of a float and an integer", SOUND.replace("lane + 1u", "lane + 1.5"), &[]),
        ("a write to what is only read", SOUND.replace("out[id.x] =", "x[id.x] ="), &[]),
        ("another entry point", SOUND.replace("fn main", "fn start"), &[]),
        ("a constant of another name", SOUND.into(), &[("WORKGROUP_SIZE", 64.0)]),
        ("512 invocations", SOUND.into(), &[("WORKGROUP", 512.0)]),
        ("more than 16 KiB of workgroup memory", SOUND.replace("array<f32, 256>", "array<f32, 4097>"), &[]),
        ("nine storage buffers", nine_buffers, &[]),
    ];
    for (mistake, source, constants) in controls {
        assert!(check(&source, constants).is_err(), "{mistake} was not refused");
    }
}
