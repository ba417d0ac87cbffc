//! How a simulated device misbehaves, for whoever wants to see what the others make of it.

/// What a device does wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// Its connection stands and it says nothing any more.
    Silent,
    /// What it answers, or does on being told, comes so many milliseconds late.
    Late(u32),
    /// It turns down what it is told.
    Refusing,
    /// It accepts what it is told and does not do it.
    Disobeying,
    /// It has no connection and seeks none.
    Offline,
}
