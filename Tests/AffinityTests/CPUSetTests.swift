// Sets of CPUs in the kernel's notation.

import LinuxSystem
import Testing

@Suite struct CPUSetTests {
    @Test(arguments: ["0", "0-3", "0-3,8", "0,2,4", "1000-1023", "8191"])
    func `what the kernel writes is written back the same`(list: String) throws {
        #expect(try #require(CPUSet(list)).description == list)
    }

    @Test func `order and doubles don't matter`() {
        #expect(CPUSet("3,1,2,2-3")?.description == "1-3")
        #expect(CPUSet("3,1") == CPUSet([1, 3]))
    }

    @Test(arguments: [
        "", ",", "1,", "a", "1-", "-1", "3-1", "1-2-3", "8192", "0-99999999999999999999", " 1", "1 ", "+1", "0x1",
        "1-٣",
    ])
    func `what is no list is refused`(list: String) { #expect(CPUSet(list) == nil) }
}

@Suite struct SchedulingTests {
    @Test(arguments: ["other", "fifo:1", "fifo:99", "rr:50"])
    func `classes are written back the same`(text: String) throws {
        #expect(try #require(Scheduling(text)).description == text)
    }

    @Test(arguments: ["", "fifo", "fifo:0", "fifo:100", "fifo:-1", "rr:", "other:1", "idle", "deadline:1", "fifo:1:2"])
    func `what is no class is refused`(text: String) { #expect(Scheduling(text) == nil) }

    @Test func `a flag beside the policy is kept, and no other name`() {
        #expect(Scheduling(policy: 0x4000_0000 | 1, priority: 7).description == "fifo:7")
        #expect(Scheduling(policy: 3, priority: 0).description == "batch")
    }
}
