#!/usr/bin/env node
/*
 * The command `serin`. Old syntax on purpose (ES5, CommonJS): this one file must be readable by whatever Node a machine happens to have.
 *
 * On Node 24 or newer it loads the program in this process. On an older one it looks for a newer runtime that npm brought along (packages
 * node-<platform>-<arch>, or `node`), runs the program with that, passes signals on and ends as it ended; without one it says so in a line.
 */
'use strict';

var fs = require('fs');
var path = require('path');

var NEEDED_MAJOR = 24;

function majorOf(version) {
  return parseInt(String(version).replace(/^v/, ''), 10);
}

/** `src/cli/main.js` in the published package, `src/cli/main.ts` in a source checkout. */
function programFile() {
  var built = path.join(__dirname, '..', 'src', 'cli', 'main.js');
  return fs.existsSync(built) ? built : path.join(__dirname, '..', 'src', 'cli', 'main.ts');
}

/** Path of a Node executable that is new enough, or null. */
function findRuntime() {
  var executable = process.platform === 'win32' ? 'node.exe' : 'node';
  var platform = process.platform === 'win32' ? 'win' : process.platform;
  var packages = ['node-' + platform + '-' + process.arch, 'node-bin-' + platform + '-' + process.arch, 'node'];
  for (var i = 0; i < packages.length; i++) {
    var manifest = manifestOf(packages[i]);
    if (manifest === null) continue;
    var file = path.join(path.dirname(manifest), 'bin', executable);
    if (majorOf(require(manifest).version) >= NEEDED_MAJOR && fs.existsSync(file)) return file;
  }
  return null;
}

/** Path of the package.json of an installed package, or null. */
function manifestOf(name) {
  try {
    return require.resolve(name + '/package.json');
  } catch (error) {
    if (error.code === 'MODULE_NOT_FOUND') return null;
    throw error;
  }
}

function spawnWith(runtime) {
  // The channel tells the program when this process is gone (kill -9): the program then ends too and leaves no orphan on its ports.
  var environment = {};
  Object.keys(process.env).forEach(function (name) {
    environment[name] = process.env[name];
  });
  environment.SERIN_LAUNCHER = '1';
  var child = require('child_process').spawn(runtime, [programFile()].concat(process.argv.slice(2)), {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: environment,
  });
  ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'].forEach(function (signal) {
    // Who sends a signal to the whole group (a terminal, `timeout`, systemd) has sent it to the program, too: it takes the two for one.
    process.on(signal, function () {
      child.kill(signal);
    });
  });
  child.on('error', function (error) {
    process.stderr.write('serin: cannot start ' + runtime + ': ' + error.message + '\n');
    process.exit(1);
  });
  child.on('exit', function (code, signal) {
    if (signal === null) process.exit(code);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

if (majorOf(process.version) >= NEEDED_MAJOR) {
  require(programFile());
} else {
  var runtime = findRuntime();
  if (runtime === null) {
    process.stderr.write(
      'serin: needs Node ' +
        NEEDED_MAJOR +
        ' or newer, this is ' +
        process.version +
        ' (' +
        process.execPath +
        '); install it, or add one beside serin: npm install node-' +
        (process.platform === 'win32' ? 'win' : process.platform) +
        '-' +
        process.arch +
        '@' +
        NEEDED_MAJOR +
        '\n',
    );
    process.exit(1);
  }
  spawnWith(runtime);
}
