//! What an installer or an operator asks of a charge point beside limits: settings, triggers, starting and
//! stopping.

use super::charger::OcppCharger;
use super::fields::Fields;
use super::request::{StationRequest, Trigger};
use super::settings::{self, Setting};
use crate::device::DeviceError;

impl OcppCharger {
    /// Settings by name: configuration keys in 1.6, `Component.Variable` in 2.0.1. No names means all of
    /// them in 1.6. A setting that it does not know has no value.
    ///
    /// # Errors
    /// Where it can't be asked, or refuses.
    pub async fn settings(&self, names: &[&str]) -> Result<Vec<Setting>, DeviceError> {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        let answer = self.ask("reading settings", StationRequest::GetSettings(names)).await?;
        Ok(settings::parse(self.station().version, &answer))
    }

    /// Changes a setting; whether it is to be started anew for that.
    ///
    /// # Errors
    /// Where it can't be asked, or does not accept.
    pub async fn change_setting(&self, name: &str, value: &str) -> Result<bool, DeviceError> {
        let act = "changing a setting";
        let (name, value) = (name.to_owned(), value.to_owned());
        let answer = self.ask(act, StationRequest::ChangeSetting { name, value }).await?;
        match settings::change_status(self.station().version, &answer).as_str() {
            "Accepted" => Ok(false),
            "RebootRequired" => Ok(true),
            other => Err(self.refused(act, other)),
        }
    }

    /// Has it send a message now.
    ///
    /// # Errors
    /// Where it can't be asked, or does not accept.
    pub async fn trigger(&self, trigger: Trigger) -> Result<(), DeviceError> {
        self.accepted("triggering a message", StationRequest::Trigger(trigger)).await
    }

    /// Has it begin to charge, on the account of `id_tag`.
    ///
    /// # Errors
    /// Where it can't be asked, or does not accept.
    pub async fn start(&self, id_tag: &str) -> Result<(), DeviceError> {
        let request = StationRequest::RemoteStart { id_tag: id_tag.chars().take(20).collect() };
        self.accepted("starting a transaction", request).await
    }

    /// Has it end the transaction under way.
    ///
    /// # Errors
    /// Where there is none, it can't be asked, or does not accept.
    pub async fn stop(&self) -> Result<(), DeviceError> {
        let act = "stopping the transaction";
        if self.station().transaction.is_none() {
            return Err(self.refused(act, "no transaction is under way"));
        }
        self.accepted(act, StationRequest::RemoteStop).await
    }

    async fn accepted(&self, act: &'static str, request: StationRequest) -> Result<(), DeviceError> {
        let answer = self.ask(act, request).await?;
        match Fields(&answer).text_or_empty("status").as_str() {
            "Accepted" => Ok(()),
            other => Err(self.refused(act, other)),
        }
    }

    fn refused(&self, act: &'static str, reason: &str) -> DeviceError {
        DeviceError::Refused { device: self.config.name.clone(), act, reason: reason.to_owned() }
    }
}
