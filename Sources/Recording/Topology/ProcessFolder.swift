// One folder of /proc: a process, its threads and what it has open.

import LinuxSystem

struct ProcessFolder {
    var id: Int32
    /// /proc/PID.
    var path: String

    init(_ id: Int32, in system: SystemRoot) {
        self.id = id
        path = "\(system.proc)/\(id)"
    }

    var exists: Bool { Folder.exists(path) }

    /// argv; empty for kernel threads and for what has ended.
    var words: [String] {
        guard let bytes = try? TextFile.bytes(of: path + "/cmdline") else { return [] }
        var words = bytes.split(separator: 0, omittingEmptySubsequences: false).map {
            String(decoding: $0, as: UTF8.self)
        }
        if words.last == "" { words.removeLast() }
        return words
    }

    /// Threads with their names (comm, 15 characters at the most), the main thread first as a rule.
    var threads: [(id: Int32, name: String)] {
        Folder.numbers(in: path + "/task").compactMap { (thread: Int32) in
            TextFile.optional("\(path)/task/\(thread)/comm").map { (thread, $0) }
        }
    }

    /// CPUs a thread may run on; empty when it has ended.
    func cpus(of thread: Int32) -> String { Self.cpus(status: "\(path)/task/\(thread)/status") }

    /// The CPU a thread runs on or ran on last; nil when it has ended.
    func lastCPU(of thread: Int32) -> Int? { ProcessEntry.lastCPU(stat: "\(path)/task/\(thread)/stat") }

    private static func cpus(status path: String) -> String {
        let key = "Cpus_allowed_list:"
        let line = TextFile.optional(path)?.split(separator: "\n").first { $0.hasPrefix(key) }
        return line.map { $0.dropFirst(key.count).drop { $0.isWhitespace } }.map { String($0) } ?? ""
    }
}

extension ProcessFolder {
    /// Something the process has open.
    struct Descriptor {
        var number: Int
        /// As readlink(2) has it: a path, or what the kernel calls it.
        var link: String?
        /// The interface a descriptor of /dev/net/tun is attached to.
        var interface: String?
        var device: DeviceNumber?
    }

    /// Whether this process may be looked into, which takes root (ptrace(2) access).
    var isOpenToUs: Bool { (try? Folder.names(in: path + "/fd")) != nil }

    var descriptors: [Descriptor] {
        Folder.numbers(in: path + "/fd").map { (number: Int) in
            Descriptor(
                number: number, link: Link.target(of: "\(path)/fd/\(number)"), interface: interface(of: number),
                device: DeviceNumber(characterDevice: "\(path)/fd/\(number)"))
        }
    }

    /// drivers/net/tun.c, tun_chr_show_fdinfo; the name is empty as long as the descriptor is not attached.
    private func interface(of descriptor: Int) -> String? {
        let key = "iff:"
        let line = TextFile.optional("\(path)/fdinfo/\(descriptor)")?.split(separator: "\n").first { $0.hasPrefix(key) }
        let name = line?.dropFirst(key.count).drop { $0.isWhitespace }
        return name.flatMap { $0.isEmpty ? nil : String($0) }
    }
}
