// What is known of the guests' clocks, machine-readable, schema 1. `schema` is raised on any change to it.

import ClockSync
package import Findings
import GuestClocks
import Notation
import PacketPath

package enum ClockJSON {
    package static let schema = 1

    /// As UTF-8 with a newline at the end.
    package static func bytes(_ findings: ClockFindings) -> [UInt8] { JSONReport.encoded(Document(findings)) }

    private struct Document: Encodable {
        let schema = ClockJSON.schema
        let session: String
        let guests: [Guest]

        init(_ findings: ClockFindings) {
            session = findings.session
            guests = findings.guests.map { Guest($0, host: findings.host) }
        }
    }

    private struct Guest: Encodable {
        let machine: String
        let clock: String?
        let host_clock: String?
        let used: String
        let evidence: [Evidence]
        let silent: [Silent]
        let vcpus: [VCPU]

        init(_ guest: ClockFindings.Guest, host: Machine) {
            machine = guest.machine.name
            clock = guest.machine.file.traceClock
            host_clock = host.file.traceClock
            used = guest.clock.candidate.method.rawValue
            evidence = guest.evidence.map { Evidence($0) }
            silent = guest.clock.silent.map { Silent(method: $0.method.rawValue, reason: $0.reason) }
            vcpus = guest.clock.threads.sorted { $0.key < $1.key }.map { VCPU(cpu: $0.key, thread: $0.value) }
        }
    }

    private struct Silent: Encodable {
        let method: String
        let reason: String
    }

    private struct VCPU: Encodable {
        let cpu: Int
        let thread: Int32
    }

    private struct Evidence: Encodable {
        let method: String
        @Nullable var offset_ns: Int64?
        @Nullable var drift_ppb: Double?
        @Nullable var error_ns: Int64?
        @Nullable var contained: Int?
        @Nullable var outside: Int?
        let contradicted: Bool
        @Nullable var disagreement_ns: Int64?
        let summary: String

        init(_ evidence: ClockFindings.Evidence) {
            let candidate = evidence.candidate
            method = candidate.method.rawValue
            offset_ns = evidence.offset
            drift_ppb = evidence.driftPPB
            error_ns = candidate.error
            contained = candidate.count?.inside
            outside = candidate.count?.outside
            contradicted = candidate.isContradicted
            disagreement_ns = candidate.disagreement
            summary = candidate.summary
        }
    }
}
