// Tests that record this machine come after each other, whichever module they are of: they would trace each other's
// work, and tidy up what another one has left on purpose.

package import Testing

/// Each test of a suite with this trait has the machine for itself.
package struct RecordsAlone: SuiteTrait, TestTrait, TestScoping {
    package var isRecursive: Bool { true }

    package func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        await Turn.shared.take()
        do {
            try await function()
            await Turn.shared.give()
        } catch {
            await Turn.shared.give()
            throw error
        }
    }

    private actor Turn {
        static let shared = Turn()
        private var isTaken = false
        private var waiting: [CheckedContinuation<Void, Never>] = []

        func take() async {
            guard isTaken else {
                isTaken = true
                return
            }
            await withCheckedContinuation { waiting.append($0) }
        }

        /// To whoever has waited longest.
        func give() {
            if waiting.isEmpty { isTaken = false } else { waiting.removeFirst().resume() }
        }
    }
}

extension Trait where Self == RecordsAlone {
    package static var recordsAlone: Self { Self() }
}
