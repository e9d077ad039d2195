// Messages: what is written is read again, and what nobody should have written is refused. The protocol is the module's
// own, so only debug builds reach it.

import NIOCore
import Statistics

#if DEBUG
    @testable import Recording
    import TestSupport
    import Testing

    @Suite struct ProtocolTests {
        @Test func `every message is read as it was written`() throws {
            for message in SampleMessages.all {
                #expect(try SampleMessages.read(SampleMessages.bytes(message)) == message)
            }
            // One of each kind is there: what is added to the protocol is added to the samples.
            #expect(Set(SampleMessages.all.map(\.name)).count == SampleMessages.all.count)
            let known = (UInt8.min ... .max).filter { type in
                do throws(ProtocolFault) {
                    _ = try SampleMessages.read([type])
                    return true
                } catch {
                    return error != .unknownType(type)
                }
            }
            #expect(known.count == SampleMessages.all.count)
        }

        @Test(arguments: SampleMessages.all.indices)
        func `a message that is cut off anywhere is a fault or holds less data`(index: Int) {
            let message = SampleMessages.all[index]
            let bytes = SampleMessages.bytes(message)
            for count in bytes.indices {
                guard let read = try? SampleMessages.read(bytes.prefix(count)) else { continue }
                switch (read, message) {
                // Data fill what is left of a message.
                case (.section(let read), .section(let whole)):
                    #expect(read.kind == whole.kind && read.name == whole.name && whole.bytes.starts(with: read.bytes))
                case (.data(let read), .data(let whole)):
                    #expect(read.cpu == whole.cpu && whole.bytes.starts(with: read.bytes))
                default: Issue.record("\(message.name) cut at \(count) is read as \(read)")
                }
            }
        }

        @Test func `bytes after a message's end are a fault`() {
            for message in SampleMessages.all where !["section", "data"].contains(message.name) {
                #expect(throws: ProtocolFault.self, "\(message.name)") {
                    try SampleMessages.read(SampleMessages.bytes(message) + [0])
                }
            }
        }

        @Test func `damaged messages are read or refused, and nothing else`() {
            var random = SplitMix64(seed: 1)
            var refused = 0
            for _ in 0..<20_000 {
                var bytes = SampleMessages.bytes(SampleMessages.all.randomElement(using: &random)!)
                for _ in 0...Int.random(in: 0..<4, using: &random) {
                    bytes[Int.random(in: 0..<bytes.count, using: &random)] = .random(in: 0...255, using: &random)
                }
                do { _ = try SampleMessages.read(bytes) } catch { refused += 1 }
            }
            #expect(refused > 1000)
        }

        @Test func `chance makes no message that can't be written again`() throws {
            var random = SplitMix64(seed: 2)
            let types = SampleMessages.all.map { SampleMessages.bytes($0)[0] }
            for _ in 0..<20_000 {
                let count = Int.random(in: 0..<64, using: &random)
                let bytes =
                    [types.randomElement(using: &random)!]
                    + (0..<count).map { _ in UInt8.random(in: 0...3, using: &random) }
                guard let message = try? SampleMessages.read(bytes) else { continue }
                #expect(SampleMessages.bytes(message) == bytes)
            }
        }

        // MARK: Limits

        @Test func `a text of more than a page is refused, and cut when it is written`() throws {
            let longest = Array(repeating: UInt8(ascii: "x"), count: FieldReader.longestText)
            #expect(
                try SampleMessages.read(SampleMessages.message(75) { $0.text(longest) })
                    == .refused(.init(reason: String(decoding: longest, as: UTF8.self))))
            #expect(throws: ProtocolFault.malformed(message: "message 75", field: "reason")) {
                try SampleMessages.read(SampleMessages.message(75) { $0.text(longest + [UInt8(ascii: "x")]) })
            }
            // Cut between characters, never in one.
            let written = SampleMessages.bytes(.refused(.init(reason: String(repeating: "€", count: 2000))))
            #expect(try SampleMessages.read(written) == .refused(.init(reason: String(repeating: "€", count: 1365))))
        }

        @Test func `a list that is longer than any is refused before it is taken`() {
            let list = SampleMessages.message(67) {
                $0.writeInteger(UInt32(0))
                $0.writeInteger(UInt16(FieldReader.longestList + 1))
                $0.writeBytes(repeatElement(0, count: 4 * (FieldReader.longestList + 1) + 100))
            }
            #expect(throws: ProtocolFault.malformed(message: "message 67", field: "enabled")) {
                try SampleMessages.read(list)
            }
        }

        @Test(arguments: ["\u{1b}[2J", "\u{7f}", "\u{0}", "\r", "\u{9b}2J", "\u{85}"])
        func `a text that a terminal would obey is refused`(text: String) {
            #expect(throws: ProtocolFault.malformed(message: "message 75", field: "reason")) {
                try SampleMessages.read(SampleMessages.message(75) { $0.text(Array("a\(text)b".utf8)) })
            }
        }

        @Test(arguments: ["", "virtlat record\nsession ended", "a\tb", String(repeating: "x", count: 201), "\u{1b}[2J"])
        func `who asks is one line that is not long`(peer: String) throws {
            #expect(throws: ProtocolFault.malformed(message: "message 1", field: "peer")) {
                try SampleMessages.read(SampleMessages.bytes(.hello(.init(peer: peer))))
            }
            let longest = Message.hello(.init(peer: String(repeating: "x", count: 200)))
            #expect(try SampleMessages.read(SampleMessages.bytes(longest)) == longest)
        }

        @Test func `bytes that are no UTF-8 are no text`() {
            #expect(throws: ProtocolFault.self) {
                try SampleMessages.read(SampleMessages.message(75) { $0.text([0xc3, 0x28]) })
            }
        }

        @Test(arguments: [
            (0, 4096, 8), (8193, 4096, 8), (1, 0, 8), (1, 4097, 8), (1, 512, 8), (1, 1 << 27, 8), (1, 4096, 0),
            (1, 4096, 16),
        ])
        func `a machine that can't be is refused`(cpus: UInt16, pageSize: UInt32, longSize: UInt8) {
            let welcome = Message.welcome(
                Message.Welcome(
                    name: "g", release: "6", uname: "Linux", cpus: cpus, pageSize: pageSize, longSize: longSize,
                    availableMemoryKiB: 1,
                    clocks: [], networkAddresses: [], remarks: []))
            #expect(throws: ProtocolFault.self) { try SampleMessages.read(SampleMessages.bytes(welcome)) }
        }

        @Test func `something else than virtlat is recognised`() {
            #expect(throws: ProtocolFault.notVirtlat) {
                try SampleMessages.read(SampleMessages.message(1) { $0.text(Array("virtual".utf8)) })
            }
            #expect(throws: ProtocolFault.unknownType(UInt8(ascii: "S"))) {
                try SampleMessages.read(Array("SSH-2.0".utf8))
            }
        }
    }
#endif
