// When a vCPU's thread may have been in the guest, as the host's events have it; and what is kept of the guest's.

import ClockSync
import GuestClocks
import TestSupport
import Testing

@Suite struct ContainmentPassTests {
    private let trace = TraceBuilder()
    private let entry: BuiltEvent
    private let exit: BuiltEvent
    private let interrupt: BuiltEvent
    private let waiting: BuiltEvent

    init() {
        entry = trace.event("kvm", "kvm_entry", [.u32("vcpu_id")])
        exit = trace.event("kvm", "kvm_exit", [.u32("exit_reason")])
        interrupt = trace.event("irq", "irq_handler_entry", [.s32("irq")])
        waiting = trace.event("kvm", "kvm_wait_lapic_expire", [.u32("vcpu_id")])
    }

    private func windows(_ thread: Int32) throws -> [ClosedRange<UInt64>] {
        let entries = try #require(try ContainmentPass.entries(try trace.open()))
        let windows = try #require(entries.windows.first { $0.thread == thread })
        return zip(windows.begins, windows.ends).map { $0...$1 }
    }

    @Test func `a guest's time ends with the next thing the host does there, however late kvm_exit is`() throws {
        let cpu = trace.cpu(0)
        cpu.add(entry, at: 1000, pid: 7, ["vcpu_id": 3])
        cpu.add(interrupt, at: 1400, pid: 7)
        cpu.add(exit, at: 1900, pid: 7)
        cpu.add(entry, at: 2000, pid: 7, ["vcpu_id": 3])
        cpu.add(exit, at: 2600, pid: 7)
        #expect(try windows(7) == [1000...1400, 2000...2600])
        #expect(try ContainmentPass.entries(try trace.open())?.windows.first?.vcpu == 3)
        #expect(try ContainmentPass.entries(try trace.open())?.recorded == 1000...2600)
    }

    @Test func `what comes between kvm_entry and the guest's first instruction ends nothing`() throws {
        let cpu = trace.cpu(0)
        cpu.add(entry, at: 1000, pid: 7)
        cpu.add(waiting, at: 1010, pid: 7)
        cpu.add(exit, at: 1500, pid: 7)
        #expect(try windows(7) == [1000...1500])
    }

    @Test func `another CPU's events end nothing, and threads move`() throws {
        trace.cpu(0).add(entry, at: 1000, pid: 7)
        trace.cpu(1).add(interrupt, at: 1200)
        trace.cpu(0).add(exit, at: 1500, pid: 7)
        trace.cpu(1).add(entry, at: 1700, pid: 7)
        trace.cpu(1).add(entry, at: 1900, pid: 8)
        trace.cpu(1).add(exit, at: 2000, pid: 8)
        #expect(try windows(7) == [1000...1500, 1700...1900])
        #expect(try windows(8) == [1900...2000])
    }

    @Test func `what began before the recording or goes on after it is not cut short`() throws {
        let cpu = trace.cpu(0)
        cpu.add(interrupt, at: 900)
        cpu.add(exit, at: 1000, pid: 7)
        cpu.add(entry, at: 1200, pid: 7)
        #expect(try windows(7) == [0...1000, 1200...UInt64.max])
    }

    @Test func `in a hole every thread may have been in the guest, until it is seen again`() throws {
        let cpu = trace.cpu(0)
        cpu.add(entry, at: 1000, pid: 7)
        cpu.add(exit, at: 1100, pid: 7)
        cpu.add(entry, at: 1200, pid: 7)
        cpu.lost(100)
        cpu.add(interrupt, at: 5000)
        cpu.add(exit, at: 5100, pid: 7)
        cpu.add(entry, at: 6000, pid: 7)
        cpu.add(exit, at: 6100, pid: 7)
        #expect(try windows(7) == [1000...1100, 1200...5100, 6000...6100])
    }

    @Test func `a host without entries tells nothing`() throws {
        trace.cpu(0).add(interrupt, at: 900)
        let entries = try #require(try ContainmentPass.entries(try trace.open()))
        #expect(entries.windows.isEmpty)
        #expect(entries.recorded == 900...900)
        #expect(try ContainmentPass.entries(try TraceBuilder().open()) == nil)
    }

    @Test func `KVM setting a guest's clock is seen`() throws {
        let write = trace.event(
            "kvm", "kvm_write_tsc_offset", [.u32("vcpu_id"), .u64("previous_tsc_offset"), .u64("next_tsc_offset")])
        trace.cpu(0).add(entry, at: 1000, pid: 7)
        trace.cpu(0).add(write, at: 1500, pid: 7, ["previous_tsc_offset": .of(-5), "next_tsc_offset": .of(-9)])
        let changes = try #require(try ContainmentPass.entries(try trace.open())).changes
        #expect(changes == [TSCOffsetChange(time: 1500, thread: 7, previous: -5, next: -9)])
    }

    @Test func `of a guest's burst the first and the last event are kept`() throws {
        let event = trace.event("net", "netif_receive_skb")
        for time in [10_000, 10_100, 10_200, 10_300, 90_000, 200_000, 200_500] as [UInt64] {
            trace.cpu(0).add(event, at: time)
        }
        trace.cpu(2).add(event, at: 5)
        let activity = try ContainmentPass.activity(try trace.open())
        #expect(activity.map(\.cpu) == [0, 2])
        #expect(activity[0].times == [10_000, 10_300, 90_000, 200_000, 200_500])
        #expect(activity[1].times == [5])
    }
}
