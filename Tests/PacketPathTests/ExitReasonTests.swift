// The numbers of VM exits, and the names the kernel has for them.

import PacketPath
import Testing

@Suite struct ExitReasonTests {
    private func name(_ number: UInt32, isa: UInt32, exceptionClass: UInt32 = 0) -> String {
        HostReason(exit: number, isa: isa, exceptionClass: exceptionClass).name
    }

    @Test func `each vendor has names of its own`() {
        #expect(name(12, isa: 1) == "HLT")
        #expect(name(49, isa: 1) == "EPT_MISCONFIG")
        #expect(name(1, isa: 1) == "EXTERNAL_INTERRUPT")
        #expect(name(0x78, isa: 2) == "HLT")
        #expect(name(0x400, isa: 2) == "NPF")
        #expect(name(0x60, isa: 2) == "INTR")
        #expect(name(0x4e, isa: 2) == "EXCP14")
    }

    @Test func `flags above VMX's number are no part of it`() {
        #expect(name(0x8000_0021, isa: 1) == "INVALID_STATE")
    }

    @Test func `arm64 names the class of a trap, and what is no trap`() {
        #expect(name(2, isa: 0, exceptionClass: 1) == "WFx")
        #expect(name(2, isa: 0, exceptionClass: 0x24) == "DABT_LOW")
        #expect(name(2, isa: 0, exceptionClass: 0x18) == "SYS64")
        #expect(name(0, isa: 0) == "IRQ")
        #expect(name(2, isa: 0, exceptionClass: 0x3f) == "trap 0x3f")
    }

    @Test func `a number without a name is told as a number`() {
        #expect(name(70, isa: 1) == "0x46")
        #expect(name(0x3ff, isa: 2) == "0x3ff")
        #expect(HostReason(code: 12).name == "0xc")
        for number in [UInt32.max, 0x8000_0004, 0xf000_0000] { #expect(name(number, isa: 2) == "0x7ff or more") }
    }

    @Test func `what is no exit has a word`() {
        #expect([HostReason.unknown, .preempted, .other].map(\.name) == ["unknown", "preempted", "other"])
    }
}
