//! Documents of journeys: ports that the system chooses, a log that the harness can read.

use std::path::Path;

use crate::Upstream;

/// A document with one listener, `edge`, and whatever `rest` adds to it.
pub fn document(rest: &str) -> String {
    format!(
        "\
version: wald/v1
admin: {{ address: 127.0.0.1:0 }}
workers: 2
telemetry: {{ log: {{ format: json }} }}
listeners: [{{ name: edge, address: 127.0.0.1:0 }}]
{rest}"
    )
}

/// A document that sends everything to one upstream, `backend`.
pub fn fronting(upstream: &Upstream) -> String {
    document(&format!(
        "\
upstreams: [{{ name: backend, endpoints: [{}] }}]
routes: [{{ name: all, allow: [{{ callers: anyone }}], backend: {{ upstream: backend }} }}]
",
        upstream.endpoint()
    ))
}

/// A document with one experiment, `trial`, between the upstreams `control` and `candidate`. Users are told
/// apart by `x-user`, share the arms evenly, and are judged quickly: by whether their requests fail, and by
/// feedback.
pub fn trial(control: &Upstream, candidate: &Upstream, store: &Path) -> String {
    document(&format!(
        "\
store: {{ path: {store} }}
upstreams:
  - {{ name: control, endpoints: [{control}] }}
  - {{ name: candidate, endpoints: [{candidate}] }}
routes: [{{ name: all, allow: [{{ callers: anyone }}], backend: {{ experiment: trial }} }}]
experiments:
  - name: trial
    unit: {{ header: x-user }}
    arms:
      - {{ name: control, backend: {{ upstream: control }} }}
      - {{ name: candidate, backend: {{ upstream: candidate }} }}
    ramp: [50%]
    metrics:
      - {{ name: failures, kind: proportion, source: failed, better: lower, role: goal, window: 2s }}
      - {{ name: liked, kind: proportion, source: feedback, better: higher, role: guardrail, margin: {{ odds: 1.5 }}, window: 2s }}
",
        store = store.display(),
        control = control.endpoint(),
        candidate = candidate.endpoint(),
    ))
}
