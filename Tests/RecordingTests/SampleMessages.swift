// One message of each kind, with something in every field, to take apart and damage.

import NIOCore

#if DEBUG
    @testable import Recording

    enum SampleMessages {
        static let all: [Message] = [
            .hello(Message.Hello(peer: "virtlat record on l1, process 42")),
            .prepare(
                Message.Preparation(
                    clock: "x86-tsc", bufferKiB: 8192, isLive: true,
                    events: [
                        .init(name: "sched:sched_switch", filter: "prev_pid == 1"),
                        .init(name: "net:net_dev_xmit", filter: ""),
                    ],
                    crossTimestampMilliseconds: 2000)),
            .start, .probe(number: 7), .stop, .collect(Message.Collection(wantsKernelSymbols: true)), .end,
            .welcome(
                Message.Welcome(
                    name: "g3", release: "6.1.0", uname: "Linux g3 6.1.0 x86_64", cpus: 2, pageSize: 4096, longSize: 8,
                    availableMemoryKiB: 123_456, clocks: ["local", "x86-tsc"], networkAddresses: ["52:54:00:00:00:03"],
                    remarks: ["no \"KVM virtual PTP\" clock:\tµs are lost\nhere"])),
            .busy(Message.Busy(seconds: 61, peer: "virtlat record on l2, process 3 (vsock CID 2)")),
            .prepared(
                Message.Prepared(
                    bufferKiB: 8195, enabled: [.init(name: "irq:softirq_raise", filter: "vec == 3")],
                    absent: ["net:nothing"],
                    multiplier: .max, shift: 31)),
            .started, .probed(number: .max),
            .stopped(
                Message.Stopped(
                    processorTime: .max, wakeUps: 3, bytesDuring: 1 << 40, threads: [1, -1, .max],
                    crossTimestamps: [
                        .init(host: .min, realtime: .max, monotonicRaw: -1, monotonic: 4, before: 0, after: .max)
                    ],
                    fault: "no room")),
            .section(TraceSection(kind: .statistics, name: "0", bytes: Array("entries: 0\n".utf8))),
            .data(Message.TraceBytes(cpu: 511, bytes: Array(repeating: 0xaa, count: 4096))),
            .collected(fault: "no room"), .ended, .refused(Message.Refusal(reason: "there is no tracefs")),
        ]

        static func bytes(_ message: Message) -> [UInt8] {
            var buffer = ByteBuffer()
            message.write(to: &buffer)
            return Array(buffer.readableBytesView)
        }

        static func read(_ bytes: some Sequence<UInt8>) throws(ProtocolFault) -> Message {
            try Message(reading: ByteBuffer(bytes: bytes))
        }

        /// A message by hand, field by field.
        static func message(_ type: UInt8, _ write: (inout ByteBuffer) -> Void) -> [UInt8] {
            var buffer = ByteBuffer(bytes: [type])
            write(&buffer)
            return Array(buffer.readableBytesView)
        }
    }

    extension ByteBuffer {
        /// A text as the protocol has it, whatever it holds.
        mutating func text(_ bytes: some Collection<UInt8>) {
            writeInteger(UInt16(bytes.count))
            writeBytes(bytes)
        }
    }
#endif
