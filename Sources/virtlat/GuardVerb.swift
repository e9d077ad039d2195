// virtlat guard: started by record and agent to clean up after them; not for people.

import ArgumentParser
import Recording

struct GuardVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "guard", abstract: "Clean up after a recorder or agent that is killed.", shouldDisplay: false)

    @Argument(help: "The ftrace instance.")
    var instance: String

    @Argument(help: "The session folder.")
    var folder: String?

    func run() throws {
        Guard.stand(over: instance) {
            // Nobody is there to be told.
            if let folder { try? CutOffSession.finish(folder: folder, instance: instance) }
        }
    }
}
