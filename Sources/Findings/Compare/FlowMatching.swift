// Which flows of several arms belong together.

import PacketPath

/// Which flows are held against each other.
///
/// Those of one guest, direction and path; but where no arm has two paths the path may be what is compared, and where
/// no arm has two guests each may have another name.
struct FlowMatching {
    struct Match {
        var direction: Direction
        /// By arm, one for each session that has it.
        var arms: [[ComparedFlow]]
    }

    private(set) var matches: [Match] = []

    init(_ arms: [ComparedArm]) {
        let flows = arms.map { $0.sessions.map(\.flows) }
        let isOneGuest = flows.allSatisfy { Set($0.joined().map(\.machine)).count <= 1 }
        let isOnePath = flows.allSatisfy { arm in
            var paths: [String: Set<PathKind>] = [:]
            for flow in arm.joined() { paths["\(flow.direction.name) \(flow.machine)", default: []].insert(flow.path) }
            return paths.values.allSatisfy { $0.count == 1 }
        }
        struct Key: Hashable {
            var direction: Direction
            var machine: String
            var path: PathKind?
            /// A way that begins with the driver is another one than that from the call on: it lacks a stage, and is
            /// not faster for that.
            var isFromDriver: Bool
        }
        func key(_ flow: ComparedFlow) -> Key {
            Key(
                direction: flow.direction, machine: isOneGuest ? "" : flow.machine, path: isOnePath ? nil : flow.path,
                isFromDriver: flow.isFromDriver)
        }
        var keys: [Key] = []
        for flow in flows.joined().joined() where !keys.contains(key(flow)) { keys.append(key(flow)) }
        for direction in Direction.allCases {
            for wanted in keys where wanted.direction == direction {
                let arms = flows.map { $0.compactMap { session in session.first { key($0) == wanted } } }
                matches.append(Match(direction: direction, arms: arms))
            }
        }
    }
}
