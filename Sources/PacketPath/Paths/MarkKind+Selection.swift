// What paths ask of a machine's recording.

package import GuestClocks
package import TraceData

extension MarkKind {
    /// All that is asked of a machine of `role` for `paths`.
    /// - Parameter ofHost: the host's own packets are followed.
    package static func selection(_ role: MachineRole, for paths: [PathDescription], ofHost: Bool = false) -> Selection
    {
        // A guest has no part in what the host does for itself.
        if ofHost, role == .guest { return Selection([]) }
        var kinds = paths.reduce(into: bookkeeping) { $0.formUnion($1.marks) }
        if ofHost { kinds.subtract([.vmEntry, .vmExit]) }
        return Selection(MarkKind.allCases.filter(kinds.contains).flatMap { $0.queries(role, ofHost: ofHost) })
    }
}
