/** A gRPC service by @grpc/grpc-js: its messages are texts. */
import {
  type ChannelCredentials,
  Client,
  type ClientDuplexStream,
  type Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type StatusObject,
  credentials,
  type sendUnaryData,
} from '@grpc/grpc-js';
import { onTestFinished } from 'vitest';

const toBytes = (text: string): Buffer => Buffer.from(text);
const toText = (bytes: Buffer): string => bytes.toString();

const method = (name: string, isStream: boolean) => ({
  path: `/test.Greeter/${name}`,
  requestStream: isStream,
  responseStream: isStream,
  requestSerialize: toBytes,
  requestDeserialize: toText,
  responseSerialize: toBytes,
  responseDeserialize: toText,
});

const SERVICE = { hello: method('Hello', false), chat: method('Chat', true) };

export type Hello = (call: ServerUnaryCall<string, string>, done: sendUnaryData<string>) => void;

export interface Greeter {
  readonly port: number;
  /** Calls begun. */
  readonly calls: () => number;
}

/** Answers `Hello` as told, and sends each message of `Chat` back. */
export async function startGreeter(hello: Hello): Promise<Greeter> {
  const server = new Server();
  let calls = 0;
  server.addService(SERVICE, {
    hello: (call: ServerUnaryCall<string, string>, done: sendUnaryData<string>) => {
      calls++;
      hello(call, done);
    },
    chat: (call: ServerDuplexStream<string, string>) => {
      calls++;
      call.on('data', (text: string) => call.write(text));
      call.on('end', () => call.end());
      call.on('error', () => undefined);
    },
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  onTestFinished(() => server.forceShutdown());
  return { port, calls: () => calls };
}

export function greeterClient(port: number, how: ChannelCredentials = credentials.createInsecure(), options = {}): Client {
  const client = new Client(`127.0.0.1:${port}`, how, options);
  onTestFinished(() => client.close());
  return client;
}

export interface Called {
  readonly code: number;
  readonly details: string;
  readonly reply: string | undefined;
  readonly trailers: Metadata;
}

/** One unary call, however it ends. */
export function hello(client: Client, text: string, deadlineMs = 10_000, metadata?: Metadata): Promise<Called> {
  return new Promise((resolve) => {
    let reply: string | undefined;
    const done = (_error: unknown, value?: string): void => void (reply = value);
    const { path, requestSerialize, responseDeserialize } = SERVICE.hello;
    const options = { deadline: Date.now() + deadlineMs };
    const call =
      metadata === undefined
        ? client.makeUnaryRequest(path, requestSerialize, responseDeserialize, text, options, done)
        : client.makeUnaryRequest(path, requestSerialize, responseDeserialize, text, metadata, options, done);
    call.on('status', ({ code, details, metadata: trailers }: StatusObject) =>
      setImmediate(() => resolve({ code, details, reply, trailers })),
    );
  });
}

export function chat(client: Client): ClientDuplexStream<string, string> {
  const { path, requestSerialize, responseDeserialize } = SERVICE.chat;
  return client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
}
