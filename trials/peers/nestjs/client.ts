// Sends requests to Catchment with NestJS, and writes the replies to a file.
//
//     node client.js SERVERS TOPIC AT_ONCE REQUESTS_FILE ENDS_FILE
import 'reflect-metadata';
import { readFileSync, writeFileSync } from 'node:fs';
import { type ClientKafka, ClientProxyFactory, Transport } from '@nestjs/microservices';
import { Kafka } from 'kafkajs';
import { lastValueFrom, timeout } from 'rxjs';

const [servers, topic, atOnce, requestsFile, endsFile] = process.argv.slice(2);
const brokers = servers.split(',');
const groupId = `nestjs-${process.pid}-${Date.now()}`;

// Sets the position of this client's group before it sends anything. NestJS reads `TOPIC.reply` by
// a group whose name ends in `-client`. Without a position, the group may begin behind the first
// replies.
const admin = new Kafka({ brokers }).admin();
await admin.connect();
const ends = await admin.fetchTopicOffsets(`${topic}.reply`);
const partitions = ends.map(({ partition, offset }) => ({ partition, offset }));
await admin.setOffsets({ groupId: `${groupId}-client`, topic: `${topic}.reply`, partitions });
await admin.disconnect();

const client = ClientProxyFactory.create({
  transport: Transport.KAFKA,
  options: { client: { brokers }, consumer: { groupId } },
}) as unknown as ClientKafka;
client.subscribeToResponseOf(topic);
await client.connect();

async function ask({ key, value }: { key: string; value: string | null }) {
  try {
    const request = client.send(topic, { key, value: parsed(value) });
    const reply = await lastValueFrom(request.pipe(timeout(30_000)));
    return { id: reply.id, status: reply.status, code: reply.error?.code };
  } catch (failure: any) {
    // If the outcome is not plain success, the call fails with the error part of the reply only.
    if (failure.status) return failure;
    return { end: String(failure.message ?? failure) };
  }
}

/** The value as an object, as an application has it. If it is not JSON, the text itself. */
function parsed(value: string | null) {
  try {
    return JSON.parse(value!);
  } catch {
    return value;
  }
}

const lines = readFileSync(requestsFile, 'utf8').trim().split('\n');
const requests = lines.map((line) => JSON.parse(line));
const answers: unknown[] = [];
let next = 0;
async function askInTurn() {
  while (next < requests.length) {
    const place = next++;
    answers[place] = await ask(requests[place]);
  }
}
await Promise.all(Array.from({ length: Number(atOnce) }, askInTurn));
writeFileSync(endsFile, answers.map((answer) => JSON.stringify(answer) + '\n').join(''));
await client.close();
