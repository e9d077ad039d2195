// virtlat paths: what is known of each kind of plumbing.

import ArgumentParser
import LinuxSystem
import PacketPath
import Report

struct Paths: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print the paths that are followed: their points, stages and events.",
        usage: "virtlat paths [options] [PATH]",
        discussion: """
            A path is a kind of plumbing between a NIC and an application. Its points are named places on a packet's way, each marked by \
            a kernel event; a stage is the time between two points. A point with a question mark may be absent, and then its stage \
            is part of the next one. Which path a packet took is told by its events; analyze --path overrules that.

            EXAMPLES
              virtlat paths
                  all paths, a line each

              virtlat paths macvtap
                  the points, stages and events of one path

              virtlat paths --format json | jq -r '.paths[] | .name, (.rx + .tx | map(.events[]) | unique[])'
                  the events that each path is made of

            EXIT STATUS
              0  done
              1  the output can't be written
              64 wrong usage
            """)

    @Argument(help: "One path; all of them in short when none is given.")
    var path: PathName?

    @Option(help: "How to print: text or json.")
    var format = Format.text

    enum Format: String, ExpressibleByArgument, CaseIterable { case text, json }

    func run() throws {
        try Failure.reported {
            let paths = path.map { [$0.kind.description] } ?? PathDescription.all
            let text = PathText(paths, colour: Terminal.outputHasColour)
            var output = OutputStream.standardOutput()
            switch format {
            case .text: try output.write(path == nil ? text.list : text.text)
            case .json: try output.write(bytes: PathJSON.bytes(paths))
            }
            try output.flush()
        }
    }
}
