// One event of the kernel: what it is called, what is read of it, what need not be recorded, and what is not seen
// without it.

/// A row of the catalogue. What stands here of an event stands nowhere else.
package struct KernelEvent: Sendable {
    /// The folder below tracefs' `events`.
    package var system: String
    /// Unique without its system, for all that is asked here.
    package var name: String
    package var place: Place
    /// What is read of it.
    package var operands: [Operand]
    /// Nothing else of it is of any use.
    package var condition: Condition?
    /// In the kernel's filter language; nil where `condition` says it.
    private var ownFilter: String?
    package var narrowing: Narrowing?
    /// The first kernel that has it; nil where every kernel has, or it is not known.
    package var since: Release?
    /// The first kernel that has it no more.
    package var until: Release?
    package var architectures: Architectures
    /// What is not seen without it on a host, and in a guest; nil where another event does as well, or little is
    /// missing.
    package var blindOnHost: Blindness?
    package var blindInGuest: Blindness?
    /// What a recording that holds none of it can't say; nil where that is nothing.
    package var absence: Absence?

    /// - Parameters:
    ///   - filter: what is recorded of it, where that is not `condition`.
    init(
        _ system: String, _ name: String, at place: Place = .everywhere, _ operands: [Operand] = [],
        where condition: Condition? = nil,
        recorded filter: String? = nil, narrowing: Narrowing? = nil, since: Release? = nil, until: Release? = nil,
        only architectures: Architectures = .all, blindOnHost: Blindness? = nil, blindInGuest: Blindness? = nil,
        absent absence: Absence? = nil
    ) {
        self.system = system
        self.name = name
        self.place = place
        self.operands = operands
        self.condition = condition
        ownFilter = filter
        self.narrowing = narrowing
        self.since = since
        self.until = until
        self.architectures = architectures
        self.blindOnHost = blindOnHost
        self.blindInGuest = blindInGuest
        self.absence = absence
    }

    /// What is recorded of it on any machine, in the kernel's filter language (Documentation/trace/events.rst); nil for
    /// all of it.
    package var filter: String? { ownFilter ?? condition?.filter }
}

extension KernelEvent: CustomStringConvertible {
    /// As trace-cmd and tracefs' `set_event` call it.
    package var description: String { "\(system):\(name)" }
}

extension KernelEvent {
    /// Whose kernel it is asked of.
    package enum Place: Sendable {
        case everywhere
        /// Hosts: it is about guests, or about what leads to them.
        case host
        /// Where applications are: guests, and a host without any.
        case applications
    }

    /// What else a recorder on a host may leave out, when it knows what it records.
    package enum Narrowing: Sendable {
        /// All but the interrupts of network devices.
        case interrupts
        /// All but some threads, by the fields that have their ids; and in those that have their names, threads of
        /// interrupts.
        case threads(ids: [String], names: [String])
        /// All that is not done by threads of vCPUs.
        case vcpus
    }

    /// Where a kernel has it.
    package struct Architectures: OptionSet, Sendable {
        package let rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }

        package static let x86 = Architectures(rawValue: 1)
        package static let arm64 = Architectures(rawValue: 2)
        package static let all: Architectures = [.x86, .arm64]
    }

    /// A kernel's version.
    package struct Release: Comparable, Sendable {
        package var major: Int
        package var minor: Int

        package init(_ major: Int, _ minor: Int) {
            self.major = major
            self.minor = minor
        }

        package static func < (left: Release, right: Release) -> Bool {
            (left.major, left.minor) < (right.major, right.minor)
        }
    }
}
