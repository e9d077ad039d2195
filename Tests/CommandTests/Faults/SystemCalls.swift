// The system calls of a program, and one that fails: strace(1) counts them, and lets one of them fail.

import Foundation
import Statistics
import TestSupport
import Testing

/// How many system calls fail in a test.
enum FaultPlan {
    static let runs = ProcessInfo.processInfo.environment["VIRTLAT_FAULTS"].flatMap { Int($0) } ?? 10
    static let seed = ProcessInfo.processInfo.environment["VIRTLAT_TEST_SEED"].flatMap { UInt64($0) } ?? 1
    static let isPossible = (try? Command.path(of: "strace", package: "strace")) != nil
    static let reason: Comment = "FAILING SYSTEM CALLS ARE NOT TESTED: strace is missing (make test installs it)"
}

/// One system call that fails where it would have succeeded: the `number`th of its kind in each thread.
struct Injection: CustomStringConvertible {
    var call: String
    var error: String
    var number: Int

    var description: String { "\(call) \(number) fails with \(error)" }

    /// Event loops, Swift's and NIO's, end the process where they can't keep their own descriptors. What is left then
    /// has to be tidied up all the same.
    static let ofEventLoops: Set = [
        "epoll_ctl", "epoll_create1", "eventfd2", "timerfd_create", "timerfd_settime", "clone3", "clone",
    ]
    var mayEndTheProcess: Bool { Self.ofEventLoops.contains(call) }

    /// strace -D leaves the program its process id, its place and its exit status.
    func words(log: String) throws -> [String] {
        try SystemCalls.strace(log: log, calls: [call]) + ["-e", "inject=\(call):error=\(error):when=\(number)"]
    }
}

/// How often a program makes each system call. Memory is left out, which a Swift program has to have.
struct SystemCalls {
    static let errors: [String: [String]] = [
        "openat": ["EMFILE", "EACCES", "ENOSPC"], "read": ["EIO", "EINTR"], "write": ["ENOSPC", "EINTR", "EIO"],
        "pwrite64": ["ENOSPC", "EIO"], "pread64": ["EIO"], "splice": ["EIO"], "sendfile": ["EIO", "ENOSPC"],
        "copy_file_range": ["EIO"],
        "ftruncate": ["EIO"], "rename": ["EIO", "ENOSPC"], "renameat2": ["EIO"], "linkat": ["ENOSPC"],
        "unlink": ["EIO"],
        "unlinkat": ["EIO"], "mkdir": ["ENOSPC", "EEXIST"], "rmdir": ["EBUSY", "EIO"], "fallocate": ["ENOSPC"],
        "fsync": ["EIO"],
        "poll": ["EINTR", "ENOMEM"], "ppoll": ["EINTR"], "epoll_wait": ["EINTR"], "epoll_ctl": ["ENOMEM", "ENOSPC"],
        "epoll_create1": ["EMFILE"], "eventfd2": ["EMFILE"], "timerfd_create": ["EMFILE"],
        "timerfd_settime": ["EINVAL"],
        "clone3": ["EAGAIN"], "clone": ["EAGAIN"], "vfork": ["EAGAIN"], "execve": ["ENOMEM"], "pipe2": ["EMFILE"],
        "dup3": ["EMFILE"],
        "fcntl": ["EINVAL"], "lseek": ["EIO"], "ioctl": ["ENOTTY", "EIO"], "flock": ["EINTR", "ENOLCK"],
        "getdents64": ["EIO"],
        "newfstatat": ["EACCES"], "fstat": ["EIO"], "statfs": ["EIO"], "readlink": ["EACCES"], "access": ["EACCES"],
        "socket": ["EMFILE", "EACCES"], "bind": ["EADDRINUSE"], "listen": ["EADDRINUSE"],
        "connect": ["ECONNREFUSED", "ETIMEDOUT"],
        "accept4": ["EMFILE", "ECONNABORTED"], "setsockopt": ["ENOPROTOOPT"], "getsockopt": ["ENOBUFS"],
        "getsockname": ["ENOBUFS"],
        "getpeername": ["ENOTCONN"], "sendto": ["ECONNRESET"], "recvfrom": ["ECONNRESET"], "writev": ["ECONNRESET"],
        "sendmsg": ["ECONNRESET"], "recvmsg": ["ECONNRESET"], "wait4": ["EINTR", "ECHILD"], "waitid": ["ECHILD"],
        "kill": ["EPERM"],
        "prctl": ["EPERM"], "sched_setaffinity": ["EINVAL", "EPERM"], "sched_getaffinity": ["ESRCH"],
        "sched_setscheduler": ["EPERM"],
        "sched_getscheduler": ["ESRCH"], "sched_getparam": ["ESRCH"], "perf_event_open": ["EACCES"],
        "setsid": ["EPERM"],
        "setpgid": ["EPERM"], "getrandom": ["EAGAIN"], "uname": ["EFAULT"], "sysinfo": ["EFAULT"], "umask": ["EPERM"],
    ]

    /// By call: how often any thread makes it, and how often it is made before the program itself begins.
    private(set) var counts: [String: Range<Int>] = [:]

    static func strace(log: String, calls: [String]) throws -> [String] {
        let tool = try Command.path(of: "strace", package: "strace")
        return [tool, "-D", "-f", "-qq", "-o", log, "-e", "trace=" + list(calls)]
    }

    /// As strace wants them. Those that this machine's architecture has not ("?") are none.
    static func list(_ calls: some Sequence<String>) -> String {
        calls.sorted().map { "?" + $0 }.joined(separator: ",")
    }

    private static let ofLoader: Set = ["read", "pread64", "newfstatat", "fstat"]

    /// - Parameter log: strace's, of a run in which nothing failed.
    init(log: String) {
        var byThread: [Substring: [String: Int]] = [:]
        var starting: [String: Int] = [:]
        var main: Substring?
        var isLoading = false
        for line in log.split(separator: "\n") {
            let words = line.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: true)
            guard words.count == 2, let end = words[1].firstIndex(of: "("), !words[1].hasPrefix("<") else { continue }
            let call = String(words[1][..<end].drop { $0 == " " })
            main = main ?? words[0]
            byThread[words[0], default: [:]][call, default: 0] += 1
            guard words[0] == main else { continue }
            // The loader's own: without its libraries no program says anything. It looks into each one it has opened.
            isLoading = call == "openat" ? line.contains(".so") : isLoading && Self.ofLoader.contains(call)
            if isLoading, let counts = byThread[words[0]] { starting = counts }
        }
        for call in Set(byThread.values.flatMap(\.keys)) where Self.errors[call] != nil {
            let most = byThread.values.compactMap { $0[call] }.max() ?? 0
            let first = starting[call] ?? 0
            if first < most { counts[call] = first..<most }
        }
    }

    var all: [Injection] {
        counts.sorted { $0.key < $1.key }.flatMap { call, numbers in
            numbers.flatMap { number in
                (Self.errors[call] ?? []).map { Injection(call: call, error: $0, number: number + 1) }
            }
        }
    }

    /// Some of all, each kind of call in turn, so that a rare one comes as often as a frequent one.
    func some(_ count: Int, seed: UInt64) -> [Injection] {
        var random = SplitMix64(seed: seed)
        var kinds = Dictionary(grouping: all, by: \.call).sorted { $0.key < $1.key }.map {
            $0.value.shuffled(using: &random)
        }
        kinds.shuffle(using: &random)
        var chosen: [Injection] = []
        while chosen.count < count, kinds.contains(where: { !$0.isEmpty }) {
            for index in kinds.indices where chosen.count < count {
                if let injection = kinds[index].popLast() { chosen.append(injection) }
            }
        }
        return chosen
    }
}
