//! `dev list`, `dev bind`, `dev unbind`: PCI functions, before any driver opens them.

use crate::output::{Failure, Outcome, Output};
use driver::bus::{self, Bdf, Root};
use offwire_diag::{Diagnostic, codes};
use serde::Serialize;
use std::fmt::Write;

#[derive(Serialize)]
struct Function {
    bdf: String,
    vendor: String,
    device: String,
    driver: Option<String>,
    iommu_group: Option<u32>,
    numa_node: Option<u32>,
}

impl From<bus::Function> for Function {
    fn from(function: bus::Function) -> Self {
        Function {
            bdf: function.bdf.to_string(),
            vendor: format!("0x{:04x}", function.vendor),
            device: format!("0x{:04x}", function.device),
            driver: function.driver,
            iommu_group: function.iommu_group,
            numa_node: function.numa_node,
        }
    }
}

impl Function {
    fn text(&self) -> String {
        let mut text = format!("{}  driver {}", self.bdf, self.driver.as_deref().unwrap_or("none"));
        match self.iommu_group {
            Some(group) => {
                let _ = write!(text, "  iommu_group {group}");
            }
            None => text += "  no IOMMU",
        }
        if let Some(node) = self.numa_node {
            let _ = write!(text, "  numa_node {node}");
        }
        text + "\n"
    }
}

/// All functions of ours.
pub(super) fn list(output: &mut Output<'_>) -> Outcome {
    let found = bus::ours(&Root::system()).map_err(|error| refuse("list the PCI functions", &error))?;
    let functions: Vec<Function> = found.into_iter().map(Function::from).collect();
    output.result(&functions, || functions.iter().map(Function::text).collect());
    Ok(0)
}

/// Gives a function to vfio-pci.
pub(super) fn bind(address: Bdf, output: &mut Output<'_>) -> Outcome {
    bus::bind(&Root::system(), address, bus::VFIO_PCI).map_err(|error| refuse("bind the function", &error))?;
    show(address, output)
}

/// Gives a function back.
pub(super) fn unbind(address: Bdf, output: &mut Output<'_>) -> Outcome {
    bus::unbind(&Root::system(), address).map_err(|error| refuse("unbind the function", &error))?;
    show(address, output)
}

fn show(address: Bdf, output: &mut Output<'_>) -> Outcome {
    let function = bus::function(&Root::system(), address).map_err(|error| refuse("read the function", &error))?;
    let function = Function::from(function);
    output.result(&function, || function.text());
    Ok(0)
}

fn refuse(what: &str, error: &driver::Error) -> Failure {
    Diagnostic::error(codes::driver::BIND, format!("cannot {what}"))
        .with_reason(error.to_string())
        .with_help("it wants root and the module vfio-pci (modprobe vfio-pci); docs/driver.md")
        .into()
}
