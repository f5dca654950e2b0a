//! `cargo xtask`: set-up and automation.

mod setup;
mod step;
mod workspace;

fn main() -> anyhow::Result<()> {
    let workspace = workspace::Workspace::locate()?;
    let tools = setup::tools::ensure(&workspace)?;
    println!("{}", tools.display());
    Ok(())
}
