//! A storage buffer of the user's own as the point: what reads it is made to read the point as it is moved.

use std::collections::BTreeSet;

use wgpu::naga::{
    AddressSpace, ArraySize, Expression, GlobalVariable, Handle, Module, Scalar, Span, StorageAccess, TypeInner,
};

/// Where a user's text cannot be taken as it is, and why.
pub(super) type Refusal = (Span, String);

/// The user's buffer: `var<storage, read> x: array<f32>`, bound to anything; none where nothing is bound.
///
/// # Errors
/// The variable that is bound and is no such buffer, or a second one.
pub(super) fn of(module: &Module) -> Result<Option<Handle<GlobalVariable>>, Refusal> {
    let mut found = None;
    for (handle, variable) in module.global_variables.iter() {
        let name = variable.name.as_deref().unwrap_or("a variable");
        if variable.binding.is_none() || name.starts_with("gpu_train_") {
            continue;
        }
        let read_only = matches!(variable.space, AddressSpace::Storage { access } if access == StorageAccess::LOAD);
        let floats = matches!(module.types[variable.ty].inner, TypeInner::Array { base, size: ArraySize::Dynamic, .. }
            if module.types[base].inner == TypeInner::Scalar(Scalar::F32));
        let span = module.global_variables.get_span(handle);
        if !read_only || !floats {
            let problem = format!("nothing fills {name}; only the point is bound, as var<storage, read> x: array<f32>");
            return Err((span, problem));
        }
        if found.replace(handle).is_some() {
            return Err((span, format!("nothing fills {name}: the point is one buffer")));
        }
    }
    Ok(found)
}

/// The text with `x[i]` as `parameter(u32(i))` and `arrayLength(&x)` as `N`, line by line what it was.
///
/// # Errors
/// Where the buffer is used in another way.
pub(super) fn rewritten(module: &Module, buffer: Handle<GlobalVariable>, text: &str) -> Result<String, Refusal> {
    let name = module.global_variables[buffer].name.as_deref().unwrap_or_default();
    let mut edits: Vec<(usize, usize, &str)> = Vec::new();
    for (_, function) in module.functions.iter() {
        let is_buffer =
            |handle| matches!(function.expressions[handle], Expression::GlobalVariable(global) if global == buffer);
        let mut left: BTreeSet<_> =
            function.expressions.iter().map(|(handle, _)| handle).filter(|&handle| is_buffer(handle)).collect();
        for (handle, expression) in function.expressions.iter() {
            let (base, is_length) = match *expression {
                Expression::Access { base, .. } | Expression::AccessIndex { base, .. } => (base, false),
                Expression::ArrayLength(base) => (base, true),
                _ => continue,
            };
            let range = function.expressions.get_span(handle).to_range().filter(|range| range.end <= text.len());
            let Some((range, part)) = range.and_then(|range| Some((range.clone(), text.get(range)?))) else { continue };
            if !is_buffer(base) {
                continue;
            }
            if is_length {
                // The span may be that of the call or of its name.
                let behind = function.expressions.get_span(base).to_range().map_or(text.len(), |range| range.end);
                let rest = text.get(behind..).unwrap_or_default();
                if part.starts_with("arrayLength") && rest.trim_start().starts_with(')') {
                    edits.push((range.start, behind + rest.find(')').unwrap_or_default() + 1, "u32(N)"));
                    left.remove(&base);
                }
            } else if let Some(bracket) = part.find('[').filter(|&at| part[..at].trim() == name && part.ends_with(']'))
            {
                edits.push((range.start, range.start + bracket + 1, "parameter(u32("));
                edits.push((range.end - 1, range.end, "))"));
                left.remove(&base);
            }
        }
        if let Some(&handle) = left.first() {
            let problem = format!("{name} is the point: it can be read as {name}[i], and asked for its arrayLength");
            return Err((function.expressions.get_span(handle), problem));
        }
    }
    edits.sort_unstable();
    let (mut result, mut done) = (String::with_capacity(text.len()), 0);
    for (start, end, by) in edits {
        result.push_str(text.get(done..start).unwrap_or_default());
        result.push_str(by);
        done = end;
    }
    result.push_str(text.get(done..).unwrap_or_default());
    Ok(result)
}

#[cfg(test)]
mod tests {
    use wgpu::naga::front::wgsl;

    use super::*;

    fn rewrite(body: &str) -> Result<String, Refusal> {
        let text = format!("@group(0) @binding(0) var<storage, read> x: array<f32>;\nfn f() -> f32 {{ {body} }}");
        let rest = "\nconst N = 3;\nfn parameter(i: u32) -> f32 { return 1.0; }";
        let module = wgsl::parse_str(&format!("{text}{rest}")).unwrap();
        let buffer = of(&module)?.unwrap();
        let rewritten = rewritten(&module, buffer, &text)?;
        assert!(wgsl::parse_str(&format!("{rewritten}{rest}")).is_ok(), "{rewritten}");
        let (start, end) = (rewritten.find('{').unwrap(), rewritten.rfind('}').unwrap());
        Ok(rewritten[start + 2..end - 1].into())
    }

    #[test]
    fn reads_become_calls() {
        for (body, expected) in [
            ("return x[0];", "return parameter(u32(0));"),
            ("let i = 1; return x [i] + x[i + 1];", "let i = 1; return parameter(u32(i)) + parameter(u32(i + 1));"),
            ("return x[u32(x[2])];", "return parameter(u32(u32(parameter(u32(2)))));"),
            ("return x[arrayLength(&x) - 1u];", "return parameter(u32(u32(N) - 1u));"),
            ("return 1.0;", "return 1.0;"),
        ] {
            assert_eq!(rewrite(body).unwrap(), expected);
        }
        let refused = rewrite("let p = &x; return p[1];").unwrap_err();
        assert!(refused.1.contains("x[i]"), "{}", refused.1);
    }

    #[test]
    fn other_bindings_are_refused() {
        for text in [
            "@group(0) @binding(0) var<uniform> x: vec4<f32>;",
            "@group(0) @binding(0) var<storage, read_write> x: array<f32>;",
            "@group(0) @binding(0) var<storage, read> x: array<u32>;",
            "@group(0) @binding(0) var<storage, read> y: array<f32>;\n@group(0) @binding(1) var<storage, read> x: array<f32>;",
        ] {
            assert!(of(&wgsl::parse_str(text).unwrap()).unwrap_err().1.contains('x'), "{text}");
        }
        assert!(of(&wgsl::parse_str("const a = 1;").unwrap()).unwrap().is_none());
    }
}
