// The host's time at instants of this guest, from the PTP clock that KVM gives its guests.

internal import CLinux
import Glibc
import LinuxSystem
import Sessions
import Synchronization

/// The clock "KVM virtual PTP" of a guest (drivers/ptp/ptp_kvm_common.c), opened.
struct KVMPTPClock: ~Copyable, Sendable {
    private let descriptor: Int32

    /// nil where there is none, or its host can't tell (its clocksource is neither the TSC nor the architecture's
    /// counter).
    init?() {
        let folder = "/sys/class/ptp"
        for name in (try? Folder.names(in: folder)) ?? []
        where TextFile.optional("\(folder)/\(name)/clock_name")?.hasPrefix("KVM virtual PTP") == true {
            let opened = unsafe open("/dev/" + name, O_RDONLY | O_CLOEXEC)
            if opened >= 0 {
                descriptor = opened
                return
            }
        }
        return nil
    }

    deinit { close(descriptor) }

    /// One PTP_SYS_OFFSET_PRECISE; no network is involved.
    func read(_ clock: TraceClock) -> CrossTimestamp? {
        var stamp = clinux_cross_timestamp()
        let before = clock.read()
        guard unsafe clinux_ptp_cross_timestamp(descriptor, &stamp) == 0 else { return nil }
        let monotonic = TraceClock.nanoseconds(CLOCK_MONOTONIC)
        return CrossTimestamp(
            host: stamp.device, realtime: stamp.realtime, monotonicRaw: stamp.monotonic_raw, monotonic: monotonic,
            before: before,
            after: clock.read())
    }
}

/// Takes cross-timestamps at the start, at the end, and in between; keeps them here, so that nothing travels.
final class CrossTimestampSampler: Sendable {
    private let clock: TraceClock
    private let device: KVMPTPClock
    private let taken = Mutex<[CrossTimestamp]>([])
    private let stopPipe: Pipe
    private let thread = Mutex<JoinedThread?>(nil)

    /// At the start and at the end this many are taken, because the shortest bracket is the best one.
    private static let burst = 8
    /// Two days of one every few seconds.
    private static let most = 50_000

    /// nil where there is no such clock, or the trace clock can't be read.
    init?(traceClock: String) {
        guard let clock = TraceClock(traceClock), let device = KVMPTPClock(), device.read(clock) != nil,
            let pipe = try? Pipe()
        else {
            return nil
        }
        self.clock = clock
        self.device = device
        stopPipe = pipe
    }

    /// - Parameter interval: in ms; 0 for none in between.
    func start(interval: Int32) {
        take(Self.burst)
        guard interval > 0 else { return }
        let stopEnd = stopPipe.readEnd
        // Without a thread there are the stamps of both ends.
        var started = try? JoinedThread { [weak self] in
            var entry = pollfd(fd: stopEnd, events: Int16(POLLIN), revents: 0)
            while unsafe poll(&entry, 1, interval) == 0 {
                guard let self else { return }
                take(1)
            }
        }
        thread.withLock { $0 = started.take() }
    }

    func stop() -> [CrossTimestamp] {
        stopPipe.writeByte()
        thread.withLock { $0 = nil }
        take(Self.burst)
        return taken.withLock { $0 }
    }

    private func take(_ count: Int) {
        for _ in 0..<count {
            guard let stamp = device.read(clock) else { return }
            taken.withLock { if $0.count < Self.most { $0.append(stamp) } }
        }
    }
}

extension ClockReading {
    /// CLOCK_REALTIME, CLOCK_MONOTONIC_RAW and CLOCK_MONOTONIC between two readings of the trace clock.
    static func take(_ clock: TraceClock) -> ClockReading {
        let before = clock.read()
        let realtime = TraceClock.nanoseconds(CLOCK_REALTIME)
        let raw = TraceClock.nanoseconds(CLOCK_MONOTONIC_RAW)
        let monotonic = TraceClock.nanoseconds(CLOCK_MONOTONIC)
        return ClockReading(
            realtime: realtime, monotonicRaw: raw, monotonic: monotonic, before: before, after: clock.read())
    }
}
