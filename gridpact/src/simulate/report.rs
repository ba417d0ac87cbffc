//! What came of a simulated day: hour by hour, both days side by side, who was paid what, how fast it
//! was. For people as tables, for programs as JSON.

use super::args::SimulateArgs;
use super::day::{Day, DayInterval};
use super::figures::Payments;
use super::process;
use super::scaling::Scaling;
use super::service::Service;
use super::PARAMETERS;
use market::units::{Milliwatt, NanoEur, PicoEurPerWh};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

const INTERVALS_PER_HOUR: usize = (3_600 / PARAMETERS.interval_s) as usize;

/// A simulated day's result.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Season and weekday.
    pub day: String,
    /// Streets the sites live in.
    pub streets: usize,
    /// What the sites' differences were drawn from.
    pub seed: u64,
    /// Hour by hour.
    pub hours: Vec<Hour>,
    /// What the supply point may carry.
    pub supply_limit_kw: f64,
    /// The day that was traded.
    pub coordinated: Totals,
    /// The same day in which nobody told a device anything.
    pub uncoordinated: Totals,
    /// Energy metered other than committed, site by site, without sign.
    pub deviation_kwh: f64,
    /// Lines and transformers committed beyond their limit, summed over intervals: none.
    pub committed_beyond_limit: u64,
    /// What each role received (negative: paid).
    pub paid_eur: BTreeMap<&'static str, f64>,
    /// All of that together: zero.
    pub paid_sum_nano_eur: i64,
    /// How fast it was.
    pub speed: Speed,
    /// How cost grows with sites, where that was asked for.
    pub scaling: Option<Scaling>,
}

/// One hour of the day that was traded.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Hour {
    /// Its place in the day.
    pub hour: usize,
    /// Mean of what the transmission side asks for import.
    pub asked_eur_per_mwh: f64,
    /// Lowest price at any bus.
    pub price_min_eur_per_mwh: f64,
    /// Highest price at any bus.
    pub price_max_eur_per_mwh: f64,
    /// Mean import less export.
    pub import_kw: f64,
    /// The same without coordination.
    pub import_uncoordinated_kw: f64,
    /// Energy into cars, houses and batteries.
    pub flexible_kwh: f64,
    /// Lines and transformers at their limit, in the mean of the intervals.
    pub binding: f64,
    /// Seconds it took to play.
    pub seconds: f64,
}

/// A day in figures.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Totals {
    /// Import less export at the supply point, at the price the transmission side asks.
    pub energy_cost_eur: f64,
    /// Energy imported.
    pub import_kwh: f64,
    /// Energy exported.
    pub export_kwh: f64,
    /// Most import in any interval.
    pub peak_import_kw: f64,
    /// Most export in any interval.
    pub peak_export_kw: f64,
    /// Energy into cars, houses and batteries.
    pub flexible_kwh: f64,
    /// Lines and transformers whose real power was above their thermal rating, summed over intervals.
    pub beyond_rating: u64,
    /// What customers got.
    pub service: Service,
    /// Mean temperature of the rooms when the day ended; none without heat pumps.
    pub mean_room_celsius: Option<f64>,
}

/// How fast a day was played, bids to settlement, without the day left uncoordinated.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Speed {
    /// Sites.
    pub sites: u32,
    /// Intervals.
    pub intervals: u32,
    /// Threads.
    pub threads: usize,
    /// Seconds, drawing the sites included.
    pub seconds: f64,
    /// Seconds of processor time, all threads together.
    pub processor_seconds: f64,
    /// Sites and intervals in a second.
    pub site_intervals_per_second: f64,
    /// Most resident memory of the process so far; none where the system doesn't say.
    pub memory_mb: Option<f64>,
}

/// A day played both ways, and what it took.
pub struct Played {
    /// With coordination.
    pub with: Day,
    /// Without.
    pub without: Day,
    /// Seconds of each interval; the last but one and the last are of the same interval.
    pub seconds: Vec<f64>,
    /// Seconds of all of it.
    pub whole_seconds: f64,
    /// Seconds of processor time of all of it.
    pub processor_seconds: f64,
    /// What the supply point may carry.
    pub limit: Milliwatt,
}

impl Report {
    /// Sums up. `streets` and `threads` are how many there were.
    pub fn of(args: &SimulateArgs, (streets, threads): (usize, usize), played: &Played) -> Self {
        let mut payments = Payments::default();
        played.with.intervals.iter().for_each(|interval| payments.merge(&interval.figures.payments));
        let site_intervals = f64::from(args.sites) * f64::from(args.intervals);
        Self {
            day: format!("{} {:?}", args.season.word(), args.weekday),
            streets,
            seed: args.seed,
            hours: hours(played),
            supply_limit_kw: played.limit.kw(),
            coordinated: Totals::of(&played.with),
            uncoordinated: Totals::of(&played.without),
            deviation_kwh: played.with.intervals.iter().map(|i| i.figures.deviation.kwh()).sum(),
            committed_beyond_limit: played.with.intervals.iter().map(|i| i.figures.beyond_limit).sum(),
            paid_eur: BTreeMap::from(by_role(&payments).map(|(role, paid)| (role, paid.eur()))),
            paid_sum_nano_eur: payments.sum().0,
            speed: Speed {
                sites: args.sites,
                intervals: args.intervals,
                threads,
                seconds: played.whole_seconds,
                processor_seconds: played.processor_seconds,
                site_intervals_per_second: site_intervals / played.whole_seconds,
                memory_mb: process::most_resident_mb(),
            },
            scaling: None,
        }
    }
}

fn by_role(payments: &Payments) -> [(&'static str, NanoEur); 5] {
    [
        ("sites", payments.sites),
        ("aggregators", payments.aggregators),
        ("dso", payments.dso),
        ("tso", payments.tso),
        ("rounding", payments.rounding),
    ]
}

impl Totals {
    fn of(day: &Day) -> Self {
        let hours = PARAMETERS.interval_s as f64 / 3_600.0;
        let mut totals = Self {
            service: day.service.clone(),
            mean_room_celsius: day.service.mean_room_celsius(),
            ..Self::default()
        };
        for DayInterval { asked, figures, .. } in &day.intervals {
            let energy_kwh = figures.delivered.kwh();
            totals.energy_cost_eur += energy_kwh * asked.eur_per_mwh() / 1e3;
            totals.import_kwh += energy_kwh.max(0.0);
            totals.export_kwh += (-energy_kwh).max(0.0);
            totals.peak_import_kw = totals.peak_import_kw.max(energy_kwh / hours);
            totals.peak_export_kw = totals.peak_export_kw.max(-energy_kwh / hours);
            totals.flexible_kwh += figures.flexible.kwh();
            totals.beyond_rating += figures.beyond_rating;
        }
        totals
    }
}

fn hours(played: &Played) -> Vec<Hour> {
    let with = played.with.intervals.chunks(INTERVALS_PER_HOUR);
    let without = played.without.intervals.chunks(INTERVALS_PER_HOUR);
    let seconds = played.seconds.chunks(INTERVALS_PER_HOUR);
    with.zip(without).zip(seconds).enumerate().map(|(hour, parts)| summed_up(hour, parts)).collect()
}

fn summed_up(hour: usize, ((with, without), seconds): ((&[DayInterval], &[DayInterval]), &[f64])) -> Hour {
    let count = with.len() as f64;
    let mean = |intervals: &[DayInterval], of: fn(&DayInterval) -> f64| {
        intervals.iter().map(of).sum::<f64>() / count
    };
    let power_kw =
        |interval: &DayInterval| interval.figures.delivered.kwh() * 3_600.0 / PARAMETERS.interval_s as f64;
    let prices = with.iter().filter_map(|interval| interval.figures.prices);
    let (low, high): (Vec<PicoEurPerWh>, Vec<PicoEurPerWh>) = prices.unzip();
    let eur = |price: Option<PicoEurPerWh>| price.unwrap_or_default().eur_per_mwh();
    Hour {
        hour,
        asked_eur_per_mwh: mean(with, |interval| interval.asked.eur_per_mwh()),
        price_min_eur_per_mwh: eur(low.into_iter().min()),
        price_max_eur_per_mwh: eur(high.into_iter().max()),
        import_kw: mean(with, power_kw),
        import_uncoordinated_kw: mean(without, power_kw),
        flexible_kwh: with.iter().map(|interval| interval.figures.flexible.kwh()).sum(),
        binding: mean(with, |interval| interval.figures.binding as f64),
        seconds: seconds.iter().sum(),
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Speed { sites, intervals, threads, .. } = &self.speed;
        writeln!(
            f,
            "{}, {sites} sites in {} streets, {intervals} intervals of 5 minutes, seed {}, {threads} threads\n",
            self.day, self.streets, self.seed
        )?;
        self.hours_table(f)?;
        self.totals_table(f)?;
        writeln!(f, "\nReceived (negative: paid)")?;
        for (role, eur) in &self.paid_eur {
            writeln!(f, "{role:<46}{eur:>14.2}  EUR")?;
        }
        writeln!(f, "{:<46}{:>14.9}  EUR", "sum", NanoEur(self.paid_sum_nano_eur).eur())?;
        self.speed_lines(f)
    }
}

/// What is shown of both days: what, its unit, and its value.
struct Row(&'static str, &'static str, fn(&Totals) -> Option<f64>);

const ROWS: [Row; 13] = [
    Row("energy at the prices asked", "EUR", |t| Some(t.energy_cost_eur)),
    Row("import", "MWh", |t| Some(t.import_kwh / 1e3)),
    Row("export", "MWh", |t| Some(t.export_kwh / 1e3)),
    Row("peak import", "MW", |t| Some(t.peak_import_kw / 1e3)),
    Row("into cars, houses and batteries", "MWh", |t| Some(t.flexible_kwh / 1e3)),
    Row("left in batteries when the day ended", "MWh", |t| Some(t.service.stored_at_end_kwh / 1e3)),
    Row("lines above their rating, over all intervals", "", |t| Some(t.beyond_rating as f64)),
    Row("cars' needs met", "%", |t| {
        let needed = t.service.ev_needed_kwh;
        (needed > 0.0).then(|| 100.0 * t.service.ev_delivered_kwh / needed)
    }),
    Row("cars that left short", "", |t| Some(t.service.cars_short as f64)),
    Row("minutes rooms were too cold, over all rooms", "", |t| Some(t.service.minutes_too_cold as f64)),
    Row("mean room when the day ended", "°C", |t| t.mean_room_celsius),
    Row("coolest room when the day ended", "°C", |t| t.service.coolest_room_celsius),
    Row("sun fed in, of what there was", "%", |t| {
        let available = t.service.pv_available_kwh;
        (available > 0.0).then(|| 100.0 * t.service.pv_produced_kwh / available)
    }),
];

impl Report {
    fn hours_table(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "hour  import at  prices at buses      import  uncoord.  flexible  lines at  played\n\
             \x20       EUR/MWh       EUR/MWh            MW        MW       MWh  their limit  in s"
        )?;
        for hour in &self.hours {
            writeln!(
                f,
                "{:>4}  {:>9.2}  {:>8.2}..{:<8.2}  {:>7.2}   {:>7.2}  {:>8.3}  {:>8.1}  {:>6.2}",
                format!("{:02}", hour.hour),
                hour.asked_eur_per_mwh,
                hour.price_min_eur_per_mwh,
                hour.price_max_eur_per_mwh,
                hour.import_kw / 1e3,
                hour.import_uncoordinated_kw / 1e3,
                hour.flexible_kwh / 1e3,
                hour.binding,
                hour.seconds,
            )?;
        }
        Ok(())
    }

    fn totals_table(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{:<46}{:>14}  {:>14}", "", "coordinated", "uncoordinated")?;
        for Row(what, unit, of) in ROWS {
            let figure = |totals| of(totals).map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
            let (with, without) = (figure(&self.coordinated), figure(&self.uncoordinated));
            writeln!(f, "{what:<46}{with:>14}  {without:>14}  {unit}")?;
        }
        writeln!(f, "{:<46}{:>14.2}  {:>14}  MW", "supply point's limit", self.supply_limit_kw / 1e3, "")?;
        let beyond = self.committed_beyond_limit;
        writeln!(f, "{:<46}{beyond:>14}", "lines committed beyond their limit")?;
        writeln!(
            f,
            "{:<46}{:>14.2}  {:>14}  MWh",
            "metered other than committed",
            self.deviation_kwh / 1e3,
            ""
        )
    }

    fn speed_lines(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Speed { seconds, processor_seconds, site_intervals_per_second, .. } = &self.speed;
        let megabytes = |speed: &Speed| {
            speed.memory_mb.map_or_else(|| "-".to_owned(), |megabytes| format!("{megabytes:.1}"))
        };
        write!(
            f,
            "\nplayed in {seconds:.1} s ({processor_seconds:.1} s of processor time), {site_intervals_per_second:.0} sites times \
             intervals a second, memory {} MB",
            megabytes(&self.speed),
        )?;
        let Some(scaling) = &self.scaling else { return Ok(()) };
        writeln!(f, "\n\n     sites   seconds  processor s  memory MB")?;
        for speed in &scaling.measured {
            let (busy, memory) = (speed.processor_seconds, megabytes(speed));
            writeln!(f, "{:>10}  {:>8.2}  {busy:>11.1}  {memory:>9}", speed.sites, speed.seconds)?;
        }
        write!(f, "cost grows with sites to the power of {:.3}", scaling.exponent)
    }
}
