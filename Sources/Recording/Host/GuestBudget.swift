// What one guest may take of the host while it is recorded. A guest is somebody else's machine: what it says of itself
// is not believed.

import LinuxSystem
import NIOCore

package struct GuestBudget: Sendable {
    /// Bytes of trace data; nil for 4 GiB, or half of the space that is free where that is less or the guest sends
    /// live.
    package var data: Int?
    /// Bytes of what its trace says of itself (formats, names), which wait in memory until its file is written.
    /// Kernels' own are 1 to 3 MiB.
    package var sections = 32 << 20

    /// ns without an answer, and for what falls behind `MessageChannel.leastPace`.
    package var patience: Int64 = MessageChannel.patience.nanoseconds

    /// /proc/kallsyms comes on top where it is wanted.
    static let kernelSymbols = 64 << 20
    /// What a section costs besides its bytes.
    static let sectionOverhead = 512

    package init() {}

    /// An agent empties its buffers into memory or files while it records, so that they do not bound what it has to
    /// send.
    private static let defaultData = 4 << 30

    /// Bytes of trace data that a guest may send.
    func data(isLive: Bool, folder: String) -> Int {
        if let data { return data }
        let half = (try? Folder.freeKiB(in: folder)).map { $0 << 10 / 2 } ?? Self.defaultData
        return isLive ? half : min(half, Self.defaultData)
    }
}

extension GuestFault {
    /// - Parameter option: what raises the budget.
    static func overBudget(_ guest: String, _ what: String, _ bytes: Int, option: String) -> GuestFault {
        GuestFault(
            guest: guest,
            reason:
                "its agent sends more than \(SpaceCheck.size(bytes >> 10)) of \(what), and is not listened to any longer",
            remedy: "If the guest is to be trusted, give it more with \(option)")
    }
}
