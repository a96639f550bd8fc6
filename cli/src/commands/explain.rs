//! `explain CODE`.

use crate::output::{Failure, Outcome, Output};
use offwire_diag::codes;
use serde::Serialize;

#[derive(Serialize)]
struct Page {
    code: String,
    title: &'static str,
    page: &'static str,
}

/// Prints the page of a code, or all codes.
pub(super) fn run(code: Option<&str>, output: &mut Output<'_>) -> Outcome {
    let Some(code) = code else {
        let list: Vec<_> = codes::all()
            .map(|entry| Page { code: entry.code.to_string(), title: entry.title, page: entry.page })
            .collect();
        output.result(&list, || list.iter().map(|page| format!("{}  {}\n", page.code, page.title)).collect());
        return Ok(0);
    };
    let entry = codes::find(code).ok_or_else(|| {
        Failure::usage(codes::cli::UNKNOWN_CODE, format!("{code:?} is no diagnostic code of offwire"))
    })?;
    let page = Page { code: entry.code.to_string(), title: entry.title, page: entry.page };
    output.result(&page, || entry.page.to_owned());
    Ok(0)
}
