// What is asked of the kernel: events by name, and filters that leave out what no path asks about.

#if DEBUG
    @testable import Recording
    import Sessions
    import Testing

    @Suite struct FilterTests {
        private static let empty = Topology(
            host: HostSystem(name: "h", release: "6", cpus: 1, haltPoll: nil, postedInterrupts: nil, nics: []), vms: [])

        @Test func `one of several numbers is a disjunction over all fields`() {
            #expect(EventSet.anyOf(["pid"], [7]) == "pid == 7")
            #expect(
                EventSet.anyOf(["prev_pid", "next_pid"], [1, 2])
                    == "prev_pid == 1 || next_pid == 1 || prev_pid == 2 || next_pid == 2")
        }

        @Test func `nothing to ask for is no filter`() { #expect(EventSet.anyOf(["pid"], [] as [Int32]) == nil) }

        @Test func `a filter that does not fit into a page is left out`() throws {
            // "pid == 1" and " || ": 12 bytes each but the last, so 333 of them take 3992.
            let longest = try #require(EventSet.anyOf(["pid"], Array(repeating: 1, count: 333)))
            #expect(longest.utf8.count == 3992)
            #expect(EventSet.anyOf(["pid"], Array(repeating: 1, count: 334)) == nil)
        }

        @Test func `threads that handle interrupts are asked for by name`() {
            #expect(EventSet.orInterruptThreads("pid == 7", comms: ["comm"]) == #"pid == 7 || comm ~ "irq/*""#)
            // No filter means all threads already; and one that no longer fits is none.
            #expect(EventSet.orInterruptThreads(nil, comms: ["comm"]) == nil)
            #expect(EventSet.orInterruptThreads(String(repeating: "x", count: 3990), comms: ["comm"]) == nil)
        }

        @Test func `no event is asked for twice`() {
            for requests in [EventSet.guest, EventSet.host(Self.empty, vms: [])] {
                #expect(Set(requests.map(\.event)).count == requests.count)
                #expect(requests.allSatisfy { $0.filter?.isEmpty != true })
            }
        }

        @Test func `a host without guests to look at records all threads`() {
            let requests = EventSet.host(Self.empty, vms: [])
            #expect(requests.first { $0.event.description == "sched:sched_switch" }?.filter == nil)
            #expect(requests.first { $0.event.description == "irq:irq_handler_entry" }?.filter == nil)
            #expect(requests.first { $0.event.description == "irq:softirq_raise" }?.filter == "vec == 3")
        }

        @Test(arguments: ["sched:sched_switch", "KVM:kvm_exit2", "a:b", "x:\(String(repeating: "y", count: 64))"])
        func `a name is a system and an event`(text: String) { #expect(EventName(text)?.description == text) }

        @Test(arguments: [
            "", ":", "sched", "sched:", ":sched_switch", "../x:y", "x:../y", "a/b:c", "a:b/c", "a:b:c", "a:b ", " a:b",
            "a:.", "a:b\n",
            "a:b\0", "a:é",
            "*:*", "x:\(String(repeating: "y", count: 65))", "a:@", "a:[", "a:`", "a:{",
        ])
        func `what could lead elsewhere is no name`(text: String) { #expect(EventName(text) == nil) }
    }
#endif
