// Faults of a connection or of a file are sentences, and never the name of what the program keeps them in.

#if DEBUG
    import LinuxSystem
    import NIOCore
    import NIOPosix
    @testable import Recording
    import Sessions
    import Testing

    @Suite struct FaultTextTests {
        private func expectSentence(_ text: String) {
            #expect(!text.contains("unforeseen"), "\(text)")
            // A case with labels, or a type's name.
            #expect(text.firstMatch(of: #/[a-z]\([a-z]+: /#) == nil, "\(text)")
            #expect(text.firstMatch(of: #/Error\b|Fault\b|NIO/#) == nil, "\(text)")
        }

        // No server is asked about a name with an empty part.
        @Test func `a host that nobody knows`() async throws {
            let resolving = #expect(throws: SocketAddressError.UnknownHost.self) {
                try SocketAddress.makeAddressResolvingHost("nobody..knows", port: 7423)
            }
            #expect(try FaultText.of(#require(resolving)) == "the name nobody..knows is unknown")
            let connecting = await #expect(throws: NIOConnectionError.self) {
                try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
                    .connect(host: "nobody..knows", port: 7423).get()
            }
            #expect(try FaultText.of(#require(connecting)) == "the name nobody..knows is unknown")
        }

        @Test func `a port on which nobody listens`() async throws {
            let refused = await #expect(throws: (any Error).self) {
                // Discard's, which nothing here serves.
                try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
                    .connect(host: "127.0.0.1", port: 9).get()
            }
            #expect(try FaultText.of(#require(refused)) == "Connection refused")
        }

        @Test func `a manifest that can't be written`() {
            expectSentence(
                FaultText.of(Manifest.Fault.unwritable(path: "s/session.json", SystemError(call: "openat", errno: 28))))
        }

        @Test(arguments: [
            ProtocolFault.unknownType(9), .malformed(message: "hello", field: "name"), .tooLong(1 << 30),
            .version(theirs: 9),
            .notVirtlat, .unexpected("an answer"), .silent(.seconds(5)), .slow, .deaf(.seconds(5)), .closed,
        ])
        func `what another side does wrong`(fault: ProtocolFault) { expectSentence(FaultText.of(fault)) }

        @Test func `a channel that is closed`() {
            for error in [ChannelError.ioOnClosedChannel, .eof, .inputClosed, .outputClosed, .alreadyClosed] {
                #expect(FaultText.of(error) == ProtocolFault.closed.text)
            }
            expectSentence(FaultText.of(ChannelError.connectTimeout(.seconds(10))))
        }
    }
#endif
