//! The rules that look at events as they happen: one thread that shows them everything, and what they find is an event
//! again.
//!
//! Nobody waits for the rules. What they cannot keep up with they do not see, and that is counted; requests that were
//! served go first.

mod found;
mod served;

use std::{
    collections::HashMap,
    fmt, mem,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::SystemTime,
};

use anyhow::{Context, Result};
use arc_swap::ArcSwap;
use bartizan_config::{Config, Diagnostic, Severity};
use bartizan_control::{DetectionRule, DetectionStatus};
use bartizan_detection::{
    DetectionError, Detector, Finding, Moment, Rule, RuleFile, RuleSet, STARTER, Settings, SigmaDetector,
};
use bartizan_events::{EventLog, Happening, Kind, Queue, QueueBounds, Taken};
use bartizan_pipeline::Doubt;
use metrics::counter;
use parking_lot::Mutex;

use self::served::Served;

/// How much may wait to be looked at.
const WAITING: QueueBounds = QueueBounds { events: 16_384, bytes: 32 * 1024 * 1024 };

/// The rules of one running system. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Detection {
    shared: Arc<Shared>,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
}

#[derive(Debug)]
struct Shared {
    queue: Queue,
    served: Served,
    /// Whether there is any rule.
    has_rules: AtomicBool,
    in_use: ArcSwap<InUse>,
    /// What the thread goes by from the next event on.
    next: Mutex<Option<Rules>>,
    /// How often each rule has fired, by its id, and when last.
    fired: Mutex<HashMap<String, (u64, SystemTime)>>,
}

/// What rules were compiled of.
#[derive(Debug)]
struct InUse {
    config: bartizan_config::Detection,
    rules: Vec<Arc<Rule>>,
}

/// The compiled rules of a configuration.
pub(crate) struct Rules {
    config: bartizan_config::Detection,
    set: RuleSet,
    /// What is probably not meant.
    pub(crate) doubts: Vec<Doubt>,
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rules").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Rules {
    /// Compiles the rules that `config` names, or says what is wrong with each that is not understood.
    pub(crate) fn compile(config: &Config) -> Result<Self, Vec<Diagnostic>> {
        let config = config.detection.clone();
        let starter = STARTER.iter().filter(|_| config.starter);
        let starter = starter.map(|file| RuleFile { name: file.name.into(), text: file.text.into() });
        let own = config.files.iter();
        let own = own.map(|file| RuleFile { name: file.path.display().to_string(), text: file.text.clone() });
        let files: Vec<_> = starter.chain(own).collect();
        let mut set = RuleSet::compile(&files).map_err(|error| diagnostics(&error))?;
        let mut doubts = Vec::new();
        for (name, line) in &config.without {
            if !set.leave_out(name) {
                doubts.push(Doubt {
                    line: *line,
                    message: format!("there is no detection rule `{name}` to leave out"),
                    hint: Some("`bartizan detect list` shows the rules that come with the gateway".into()),
                });
            }
        }
        Ok(Self { config, set, doubts })
    }

    fn detector(self) -> SigmaDetector {
        let settings = Settings { utc_offset: self.config.utc_offset, ..Settings::default() };
        SigmaDetector::new(self.set, settings)
    }

    fn in_use(&self) -> InUse {
        let rules = self.set.rules().iter().filter(|rule| rule.reports).cloned().collect();
        InUse { config: self.config.clone(), rules }
    }
}

fn diagnostics(error: &DetectionError) -> Vec<Diagnostic> {
    let diagnostic = |file: &str, line: usize, message: String| Diagnostic {
        severity: Severity::Error,
        file: file.to_owned(),
        line: u32::try_from(line).unwrap_or(u32::MAX),
        column: 1,
        message,
        hint: Some("`bartizan detect test FILE` tries rules without a gateway".into()),
        snippet: String::new(),
    };
    let DetectionError::Refused(problems) = error else {
        return vec![diagnostic("detection", 1, error.to_string())];
    };
    let of = |problem: &bartizan_detection::Problem| {
        let rule = problem.rule.as_ref().map(|rule| format!("`{rule}`: ")).unwrap_or_default();
        diagnostic(&problem.file, problem.line, format!("{rule}{}", problem.reason))
    };
    problems.iter().map(of).collect()
}

impl InUse {
    /// Whether the same rules come of `config`.
    fn is_made_of(&self, config: &bartizan_config::Detection) -> bool {
        let names = |config: &bartizan_config::Detection| -> Vec<_> {
            config.without.iter().map(|(name, _)| name.clone()).collect()
        };
        let Self { config: known, .. } = self;
        (known.starter, known.utc_offset, &known.files) == (config.starter, config.utc_offset, &config.files)
            && names(known) == names(config)
    }
}

impl Detection {
    /// Starts to look at what it is shown. What is found goes to `log`.
    pub(crate) fn start(rules: Rules, log: EventLog) -> Result<Self> {
        let shared = Arc::new(Shared {
            queue: Queue::new(WAITING),
            served: Served::new(rules.config.served),
            has_rules: AtomicBool::new(!rules.set.rules().is_empty()),
            in_use: ArcSwap::from_pointee(rules.in_use()),
            next: Mutex::default(),
            fired: Mutex::default(),
        });
        let (of_thread, detector) = (Arc::clone(&shared), rules.detector());
        let thread = thread::Builder::new().name("detection".into());
        let thread = thread.spawn(move || of_thread.run(detector, &log));
        let thread = thread.context("the rules that look at events have no thread")?;
        Ok(Self { shared, thread: Arc::new(Mutex::new(Some(thread))) })
    }

    /// Whether the rules are to see a request that was served at this moment: they see so many a second.
    pub(crate) fn takes_served(&self, moment: SystemTime) -> bool {
        if !self.shared.has_rules.load(Ordering::Relaxed) {
            return false;
        }
        let takes = self.shared.served.takes(moment);
        if !takes {
            self.shared.served.leave_out();
        }
        takes
    }

    /// Shows the rules what has happened. Never waits: where too much waits already, they do not see it.
    pub(crate) fn show(&self, happening: impl Happening + 'static) {
        // Rules do not look at what rules have found.
        if happening.kind() == Kind::DetectionMatched || !self.shared.has_rules.load(Ordering::Relaxed) {
            return;
        }
        if self.shared.queue.push(Box::new(happening)) == Taken::No {
            counter!("bartizan_detection_unseen_total", "reason" => "overload").increment(1);
        }
    }

    /// Goes by other rules from the next event on. Rules that are the same as before keep what they remember.
    pub(crate) fn follow(&self, rules: Rules) {
        self.shared.served.set(rules.config.served);
        if self.shared.in_use.load().is_made_of(&rules.config) {
            return;
        }
        self.shared.has_rules.store(!rules.set.rules().is_empty(), Ordering::Relaxed);
        self.shared.in_use.store(Arc::new(rules.in_use()));
        *self.shared.next.lock() = Some(rules);
    }

    /// What looks at events, and what it has found since the start.
    pub(crate) fn status(&self) -> DetectionStatus {
        let in_use = self.shared.in_use.load();
        let fired = self.shared.fired.lock();
        let rule = |rule: &Arc<Rule>| {
            let (times, last) = fired.get(&rule.id).map_or((0, None), |(times, last)| (*times, Some(*last)));
            DetectionRule {
                id: rule.id.clone(),
                title: rule.title.clone(),
                severity: rule.severity.name().into(),
                author: rule.author.clone(),
                techniques: rule.techniques().collect(),
                file: format!("{}:{}", rule.file, rule.line),
                fired: times,
                last_fired: last.map(Into::into),
            }
        };
        let waiting = u64::try_from(self.shared.queue.len()).unwrap_or(u64::MAX);
        DetectionStatus { rules: in_use.rules.iter().map(rule).collect(), waiting }
    }

    /// Waits until the rules have seen everything that they were shown so far. It blocks its thread.
    #[cfg(test)]
    pub(crate) fn flush(&self) {
        self.shared.queue.flush();
    }

    /// Looks at what waits and stops. It blocks its thread.
    pub(crate) fn finish(&self) {
        self.shared.queue.close();
        let thread = self.thread.lock().take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the rules that look at events have failed inside");
        }
    }
}

impl Shared {
    fn run(&self, mut detector: SigmaDetector, log: &EventLog) {
        loop {
            let batch = self.queue.take(true);
            if let Some(next) = mem::take(&mut *self.next.lock()) {
                detector = next.detector();
            }
            for happening in batch.happenings {
                let event = happening.into_event();
                let moment = Moment(i64::try_from(event.id.milliseconds()).unwrap_or(i64::MAX));
                for finding in detector.observe(&event.ocsf(), moment) {
                    self.count(&finding);
                    log.record(found::event(&finding, &event));
                }
            }
            self.queue.answer(batch.asked);
            if batch.is_last {
                return;
            }
        }
    }

    fn count(&self, finding: &Finding) {
        let severity = finding.rule.severity.name();
        counter!("bartizan_detection_findings_total", "severity" => severity).increment(1);
        let mut fired = self.fired.lock();
        let (times, last) = fired.entry(finding.rule.id.clone()).or_insert((0, SystemTime::UNIX_EPOCH));
        *times += 1;
        *last = SystemTime::now();
    }
}

#[cfg(test)]
mod tests;
